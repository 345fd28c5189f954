import { DawnrankError } from '../error.ts'

/**
 * An error of loading a model by its name, or of the cache. Codes:
 *
 * - `name-invalid`: a name or a revision that the hub does not accept
 * - `repo-missing`: the hub has no such model, or it is private and the token does not open it
 * - `gated`: the licence must be accepted first; the message has the page
 * - `revision-missing`: no such branch, tag or commit; the message lists what there is
 * - `token-invalid`: the hub rejects the token, or it has characters that no token has
 * - `endpoint-invalid`: HF_ENDPOINT is not a URL
 * - `offline`: HF_HUB_OFFLINE is set and the cache does not have the model
 * - `unreachable`, `rate-limited`, `hub-failed`: no answer, too many requests, an answer that makes no sense; all after retries
 * - `files-missing`: the repository lacks config.json or safetensors weights
 * - `path-invalid`: the repository lists a path that leads out of its folder
 * - `file-corrupt`: the hub sent other bytes than it lists, twice
 * - `no-space`: the disk is full; the message says how much is needed
 * - `cache-unwritable`: the cache cannot be written or read
 * - `cache-root`: a folder that is a cache of models, not a model
 * - `not-cached`: the cache does not have the model or the revision
 */
export class HubError extends DawnrankError {
  static override readonly name: string = 'HubError'
}
