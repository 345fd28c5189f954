import { createHash, randomUUID } from 'node:crypto'
import { access, constants, mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import type { z } from 'zod'
import { ServiceError } from './errors.ts'

/**
 * Answers of services on disk, so that each request is billed once. A file holds one answer as JSON; its name is the
 * SHA-256 of what was asked. Keys are not part of it.
 */
export class Answers {
  readonly #folder: string
  readonly #underway = new Map<string, Promise<unknown>>()

  constructor(folder: string) {
    this.#folder = folder
  }

  /** Makes the folder, and finds out before a request is paid for whether answers can be kept there. */
  prepare(): Promise<void> {
    return this.#writing(async () => {
      await mkdir(this.#folder, { recursive: true })
      await access(this.#folder, constants.W_OK)
    })
  }

  /** The answer to what was asked before; `undefined` where there is none of this form. */
  async recall<Answer>(asked: object, form: z.ZodType<Answer>): Promise<Answer | undefined> {
    try {
      return form.parse(JSON.parse(await readFile(this.#file(asked), 'utf8')))
    } catch {
      // Not there, not whole, or not an answer: it is asked again.
      return undefined
    }
  }

  keep(asked: object, answer: unknown): Promise<void> {
    const file = this.#file(asked)
    // A name of its own: another process may keep the same answer.
    const fresh = `${file}.${randomUUID()}`
    return this.#writing(async () => {
      await mkdir(dirname(file), { recursive: true })
      try {
        await writeFile(fresh, JSON.stringify(answer))
        await rename(fresh, file)
      } finally {
        await rm(fresh, { force: true })
      }
    })
  }

  /** The answer on disk, or that of `ask`, which is kept. Equal questions at the same time are asked once. */
  async once<Answer>(
    asked: object,
    form: z.ZodType<Answer>,
    ask: () => Promise<Answer>,
  ): Promise<Answer> {
    const file = this.#file(asked)
    const begun = this.#underway.get(file)
    if (begun) return begun as Promise<Answer>
    const answer = (async () => {
      const known = await this.recall(asked, form)
      if (known !== undefined) return known
      const fresh = await ask()
      await this.keep(asked, fresh)
      return fresh
    })()
    this.#underway.set(file, answer)
    return answer.finally(() => this.#underway.delete(file))
  }

  #writing(work: () => Promise<void>): Promise<void> {
    return work().catch((cause: NodeJS.ErrnoException) => {
      throw new ServiceError(
        'cache-unwritable',
        `${this.#folder}: the answers of services cannot be kept here (${cause.code}); set XDG_CACHE_HOME to a ` +
          'folder that can be written',
        { cause },
      )
    })
  }

  #file(asked: object): string {
    const name = createHash('sha256').update(JSON.stringify(asked)).digest('hex')
    return join(this.#folder, name.slice(0, 2), `${name}.json`)
  }
}
