/** A file in the Cache API, in parts, so that a download can be resumed and no part needs much memory. */
import type { Meter } from './progress.ts'
import type { HubClient } from './settings.ts'
import { Sha256 } from './sha256.ts'
import { download, transfer } from './transfer.ts'
import type { HubFile } from './types.ts'

/** Bytes of a part. */
const partBytes = 32 * 2 ** 20

export class CachedFile {
  readonly #cache: Cache
  readonly #address: string
  readonly #file: HubFile

  constructor(cache: Cache, address: string, file: HubFile) {
    this.#cache = cache
    this.#address = address
    this.#file = file
  }

  #part = (index: number): string => `${this.#address}?part=${index}`

  /** How many parts the file has; an empty file has one. */
  get #parts(): number {
    return Math.max(1, Math.ceil(this.#file.size / partBytes))
  }

  /** The file; `undefined` unless all of it is there. */
  async blob(): Promise<Blob | undefined> {
    const parts: Blob[] = []
    for (let i = 0; i < this.#parts; i++) {
      const part = await this.#cache.match(this.#part(i))
      if (!part) return undefined
      parts.push(await part.blob())
    }
    const blob = new Blob(parts)
    return blob.size === this.#file.size ? blob : undefined
  }

  /**
   * Downloads what is not there, and checks the hash of the whole.
   *
   * @throws HubError; the signal's reason
   */
  async fetch(client: HubClient, name: string, meter: Meter): Promise<void> {
    await download(
      name,
      this.#file,
      () => this.#fill(client, name, meter),
      () => this.#delete(),
    )
  }

  async #delete(): Promise<void> {
    for (let i = 0; i < this.#parts; i++) await this.#cache.delete(this.#part(i))
  }

  /** Continues after the parts that are there; gives the hash of all. */
  async #fill(client: HubClient, name: string, meter: Meter): Promise<string> {
    const { path, size } = this.#file
    const hash = hasherOf(this.#file)
    let position = 0
    let next = 0
    for (; next < this.#parts; next++) {
      const part = await (await this.#cache.match(this.#part(next)))?.blob()
      if (part?.size !== Math.min(partBytes, size - position)) break
      await hash.update(new Uint8Array(await part.arrayBuffer()))
      position += part.size
    }
    meter.update(path, position)
    let pending: Uint8Array<ArrayBuffer>[] = []
    let pendingBytes = 0
    const store = async () => {
      const part = new Blob(pending)
      await this.#cache.put(this.#part(next++), new Response(part))
      pending = []
      pendingBytes = 0
    }
    const write = async (bytes: Uint8Array<ArrayBuffer>) => {
      const room = partBytes - pendingBytes
      const here = bytes.subarray(0, room)
      pending.push(here)
      pendingBytes += here.length
      await hash.update(here)
      position += here.length
      meter.update(path, position, here.length)
      if (pendingBytes === partBytes) await store()
      if (bytes.length > room) await write(bytes.subarray(room))
    }
    const sink = {
      get position() {
        return position
      },
      write,
    }
    await transfer(client, this.#address, name, this.#file, sink)
    if (next < this.#parts) await store()
    return hash.digest()
  }
}

interface Hasher {
  update(bytes: Uint8Array<ArrayBuffer>): unknown
  digest(): string | Promise<string>
}

/** SHA-256 of a large file; of a small one git's blob SHA-1, which needs the whole. */
function hasherOf({ etag, size }: HubFile): Hasher {
  if (etag.length === 64) return new Sha256()
  const parts: Uint8Array<ArrayBuffer>[] = [new TextEncoder().encode(`blob ${size}\0`)]
  return {
    update: (bytes) => parts.push(bytes),
    async digest() {
      const whole = await new Blob(parts).arrayBuffer()
      const hash = new Uint8Array(await crypto.subtle.digest('SHA-1', whole))
      return Array.from(hash, (byte) => byte.toString(16).padStart(2, '0')).join('')
    },
  }
}
