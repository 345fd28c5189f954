import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { show } from '../rerankers/options.ts'
import { DevicesError } from './errors.ts'

/** How the adapter of one device is found. */
export interface AdapterChoice {
  /** Options of Dawn, such as `adapter=NVIDIA L4` (a part of the adapter's name) or `backend=vulkan`. */
  readonly flags?: readonly string[] | undefined
  /** Environment variables that the Vulkan loader, its layers and drivers see while the adapter is opened. */
  readonly environment?: Readonly<Record<string, string>> | undefined
}

/** The most devices of one process; more is a mistake. */
const most = 64

const expected = `expected a number from 1 to ${most}, or a list of adapters: a part of the name of each, or { flags, environment }`

/**
 * The adapter of each device. With a number, devices are spread over the GPUs of one model where the machine has several:
 * Dawn finds an adapter by name only, so these are told apart by their PCI addresses, by Mesa's Vulkan layer for device
 * selection. Other machines open the default adapter so many times.
 *
 * @param gpus PCI addresses of GPUs that are alike
 * @throws DevicesError `option-invalid`
 */
export function chooseAdapters(asked: unknown, gpus = likeGpus()): AdapterChoice[] {
  const list = typeof asked === 'number' ? byNumber(asked, gpus) : asked
  const isList = Array.isArray(list) && list.length >= 1 && list.length <= most
  if (!isList) {
    throw new DevicesError('option-invalid', `devices: found ${show(asked)}; ${expected}`)
  }
  return list.map((one: unknown, i) => {
    if (typeof one === 'string' && one !== '') return { flags: [`adapter=${one}`] }
    if (isChoice(one)) return one
    throw new DevicesError('option-invalid', `devices[${i}]: found ${show(one)}; ${expected}`)
  })
}

function byNumber(count: number, gpus: readonly string[]): AdapterChoice[] | undefined {
  if (!Number.isInteger(count) || count < 1 || count > most) return undefined
  return Array.from({ length: count }, (_, i) => {
    const address = gpus.length > 1 ? gpus[i % gpus.length] : undefined
    return address ? { environment: { DRI_PRIME: `pci-${address.replace(/[:.]/g, '_')}!` } } : {}
  })
}

function isChoice(value: unknown): value is AdapterChoice {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return false
  const { flags = [], environment = {}, ...others } = value as AdapterChoice
  const isText = (text: unknown) => typeof text === 'string'
  return (
    Object.keys(others).length === 0 &&
    Array.isArray(flags) &&
    flags.every(isText) &&
    Object.values(Object(environment)).every(isText)
  )
}

/** The classes of display and 3D controllers begin with this byte. */
const displayClass = '0x03'

/**
 * The PCI addresses of the largest group of GPUs with the same vendor and device id, in their order. Empty where the
 * system has no sysfs.
 */
export function likeGpus(folder = '/sys/bus/pci/devices'): string[] {
  const groups = new Map<string, string[]>()
  try {
    for (const address of readdirSync(folder).sort()) {
      const [kind, vendor, device] = ['class', 'vendor', 'device'].map((name) =>
        readFileSync(join(folder, address, name), 'utf8').trim(),
      )
      if (!kind?.startsWith(displayClass)) continue
      const group = `${vendor}:${device}`
      groups.set(group, [...(groups.get(group) ?? []), address])
    }
  } catch {
    return []
  }
  return [...groups.values()].reduce((a, b) => (b.length > a.length ? b : a), [])
}
