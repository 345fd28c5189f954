/** Names and revisions, as the hub accepts them (huggingface_hub's `validate_repo_id`). */
import { isInnerPath } from '../platform/files.ts'
import { HubError } from './errors.ts'

const namePattern = /^(?:\w(?:[\w.-]*\w)?\/)?\w(?:[\w.-]{0,94}\w)?$/

/** Whether a text can be the name of a model on the hub: `name` or `org/name`. */
export const isHubName = (text: string): boolean =>
  namePattern.test(text) && !/--|\.\.|\.git$/.test(text)

/** The 40 digits of a commit. */
export const isCommit = (revision: string): boolean => /^[0-9a-f]{40}$/.test(revision)

/** What names a file by its bytes: 40 digits of git's SHA-1, or 64 of SHA-256. */
export const isHash = (text: string): boolean => /^([0-9a-f]{40}|[0-9a-f]{64})$/.test(text)

/** Whether a path stays inside the folder that it is relative to, on any system. */
export const isPortablePath = (path: string): boolean =>
  // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what is refused
  isInnerPath(path) && !/[:\u0000-\u001f]/.test(path)

/** Throws unless a name and a revision are of the form that the hub accepts. */
export function checkNames(name: string, revision: string): void {
  if (!isHubName(name)) {
    throw new HubError(
      'name-invalid',
      `${JSON.stringify(name)}: not a name on the hub; expected "org/name" of letters, digits, ".", "_" and "-"`,
    )
  }
  if (!isPortablePath(revision) || /[\s~^?*[]|\.lock$/.test(revision)) {
    throw new HubError(
      'name-invalid',
      `${name}: revision ${JSON.stringify(revision)}; expected a branch, a tag or a commit`,
    )
  }
}
