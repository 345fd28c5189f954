/** Models by name or by folder, for whoever loads one. The part that knows the hub is loaded when a name is first given. */
import type { Folder, Place } from '../platform/files.ts'
import { HubError } from './errors.ts'
import { isHubName } from './names.ts'
import type { HubFolder, HubOptions } from './types.ts'

const hub = () => import('#hub')

/**
 * Opens a model of the hub; `undefined` where the place is no name, or that of a file or folder here.
 *
 * @throws HubError; the signal's reason
 */
export async function openNamed(
  place: Place | undefined,
  options: HubOptions,
): Promise<HubFolder | undefined> {
  if (typeof place !== 'string' || !isHubName(place)) return undefined
  const { isLocal, openByName } = await hub()
  if (await isLocal(place)) return undefined
  return openByName(place, options).catch((fault) => {
    throw withLocal(place, fault)
  })
}

/**
 * Throws the error about a folder without config.json.
 *
 * @throws HubError `cache-root` where it is a cache of models; else the fault
 */
export async function refuseFolder({ name }: Folder, fault: unknown): Promise<never> {
  if (Object(fault).code === 'config-missing') await (await hub()).checkFolder(name)
  throw fault
}

const unknownCodes: readonly string[] = ['repo-missing', 'offline', 'unreachable']

/** Of a name that is not on the hub, the user may have meant a folder. */
function withLocal(place: string, fault: unknown): unknown {
  if (!(fault instanceof HubError) || !unknownCodes.includes(fault.code)) return fault
  const message = `${fault.message}. There is no folder ${JSON.stringify(place)} here either`
  return new HubError(fault.code, message, { cause: fault })
}
