import { expect, it } from 'vitest'
import { dawnFlags } from '../../src/platform/dawn-flags.ts'

it.each([
  [[], ['enable-dawn-features=allow_unsafe_apis,vulkan_enable_f16_on_nvidia']],
  [[''], ['enable-dawn-features=allow_unsafe_apis,vulkan_enable_f16_on_nvidia']],
  [
    ['enable-dawn-features=skip_validation,disable_robustness', 'verbose'],
    [
      'enable-dawn-features=allow_unsafe_apis,vulkan_enable_f16_on_nvidia,skip_validation,disable_robustness',
      'verbose',
    ],
  ],
  // Of several flags of one name Dawn takes the last: those of the profile must not undo those of the user.
  [
    ['disable-dawn-features=allow_unsafe_apis', 'disable-dawn-features=timestamp_quantization'],
    [
      'enable-dawn-features=allow_unsafe_apis,vulkan_enable_f16_on_nvidia',
      'disable-dawn-features=allow_unsafe_apis,timestamp_quantization',
    ],
  ],
  [
    ['adapter=Some=GPU', 'backend=vulkan'],
    [
      'enable-dawn-features=allow_unsafe_apis,vulkan_enable_f16_on_nvidia',
      'adapter=Some=GPU',
      'backend=vulkan',
    ],
  ],
])('flags %j are given to Dawn as %j', (flags, expected) => {
  expect(dawnFlags(flags)).toEqual(expected)
})
