import { createHash, timingSafeEqual } from 'node:crypto'
import { ServerError } from './errors.ts'

/** Checks the header `Authorization` of a request. */
export type CheckKey = (header: string | null | undefined) => void

/**
 * Checks bearer keys against those of the server, in a time that does not depend on what is equal.
 *
 * @returns undefined where the server has no keys
 */
export function keyChecker(keys: readonly string[]): CheckKey | undefined {
  if (keys.length === 0) return undefined
  const known = keys.map(digest)
  return (header) => {
    const given = /^bearer +(.*)$/i.exec(header?.trim() ?? '')?.[1]?.trim()
    if (!given) {
      throw new ServerError(
        'unauthorized',
        'the request has no API key; send the header "Authorization: Bearer <key>"',
      )
    }
    const own = digest(given)
    let isKnown = false
    for (const key of known) if (timingSafeEqual(own, key)) isKnown = true
    if (!isKnown) throw new ServerError('unauthorized', 'the API key is not one of this server')
  }
}

const digest = (key: string) => createHash('sha256').update(key).digest()
