/**
 * Toggles that Dawn is opened with in Node; those of `flags` are added. One that is both enabled and disabled is off.
 *
 * - `allow_unsafe_apis`: experimental features, of which subgroup matrices are used.
 * - `vulkan_enable_f16_on_nvidia`: `shader-f16` on NVIDIA's Vulkan driver, where Dawn does not offer it otherwise
 *   (crbug 42251215).
 * - `timestamp_quantization`, off: a profile needs exact times, and may be asked for after Dawn was opened.
 */
const toggles: readonly (readonly [list: string, names: readonly string[]])[] = [
  ['enable-dawn-features', ['allow_unsafe_apis', 'vulkan_enable_f16_on_nvidia']],
  ['disable-dawn-features', ['timestamp_quantization']],
]

/** Dawn's flags with our toggles: one list of toggles to enable and one to disable, for of several Dawn takes the last alone. */
export function dawnFlags(flags: readonly string[]): string[] {
  const lists = new Map(toggles)
  const others: string[] = []
  for (const flag of flags.filter((flag) => flag !== '')) {
    const [, name, list = ''] = /^((?:enable|disable)-dawn-features)=(.*)$/.exec(flag) ?? []
    if (name === undefined) others.push(flag)
    else lists.set(name, [...(lists.get(name) ?? []), list])
  }
  return [...[...lists].map(([name, toggles]) => `${name}=${toggles}`), ...others]
}
