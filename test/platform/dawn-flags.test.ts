import { expect, it } from 'vitest'
import { dawnFlags } from '../../src/platform/dawn-flags.ts'

const on = 'enable-dawn-features=allow_unsafe_apis,vulkan_enable_f16_on_nvidia'
const off = 'disable-dawn-features=timestamp_quantization'

it.each([
  [[], [on, off]],
  [[''], [on, off]],
  [
    ['enable-dawn-features=skip_validation,disable_robustness', 'verbose'],
    [`${on},skip_validation,disable_robustness`, off, 'verbose'],
  ],
  // Of several flags of one name Dawn takes the last: ours must not undo those of the user.
  [
    ['disable-dawn-features=allow_unsafe_apis', 'disable-dawn-features=dump_shaders'],
    [on, `${off},allow_unsafe_apis,dump_shaders`],
  ],
  [
    ['adapter=Some=GPU', 'backend=vulkan'],
    [on, off, 'adapter=Some=GPU', 'backend=vulkan'],
  ],
])('flags %j are given to Dawn as %j', (flags, expected) => {
  expect(dawnFlags(flags)).toEqual(expected)
})
