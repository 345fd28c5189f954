/**
 * Toggles that Dawn is opened with in Node. A toggle that `flags` disable stays off.
 *
 * - `allow_unsafe_apis`: experimental features, of which subgroup matrices are used.
 * - `vulkan_enable_f16_on_nvidia`: `shader-f16` on NVIDIA's Vulkan driver, where Dawn does not offer it otherwise
 *   (crbug 42251215).
 */
const toggles = ['allow_unsafe_apis', 'vulkan_enable_f16_on_nvidia']

/** Dawn's flags with our toggles: one list of toggles to enable and one to disable, for of several Dawn takes the last alone. */
export function dawnFlags(flags: readonly string[]): string[] {
  const lists = new Map([['enable-dawn-features', toggles]])
  const others: string[] = []
  for (const flag of flags.filter((flag) => flag !== '')) {
    const [, name, list = ''] = /^((?:enable|disable)-dawn-features)=(.*)$/.exec(flag) ?? []
    if (name === undefined) others.push(flag)
    else lists.set(name, [...(lists.get(name) ?? []), list])
  }
  return [...[...lists].map(([name, toggles]) => `${name}=${toggles}`), ...others]
}
