import { createHash, randomUUID } from 'node:crypto'
import { mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'

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

  /** The answer to what was asked before; `undefined` where there is none. */
  async recall(asked: object): Promise<unknown> {
    try {
      return JSON.parse(await readFile(this.#file(asked), 'utf8'))
    } catch {
      // Not there, or not whole: it is asked again.
      return undefined
    }
  }

  async keep(asked: object, answer: unknown): Promise<void> {
    const file = this.#file(asked)
    await mkdir(dirname(file), { recursive: true })
    const fresh = `${file}.${randomUUID()}`
    try {
      await writeFile(fresh, JSON.stringify(answer))
      await rename(fresh, file)
    } finally {
      await rm(fresh, { force: true })
    }
  }

  /** The answer on disk, or that of `ask`, which is kept. Equal questions at the same time are asked once. */
  async once<Answer>(asked: object, ask: () => Promise<Answer>): Promise<Answer> {
    const file = this.#file(asked)
    const begun = this.#underway.get(file)
    if (begun) return begun as Promise<Answer>
    const answer = (async () => {
      const known = await this.recall(asked)
      if (known !== undefined) return known as Answer
      const fresh = await ask()
      await this.keep(asked, fresh)
      return fresh
    })()
    this.#underway.set(file, answer)
    return answer.finally(() => this.#underway.delete(file))
  }

  #file(asked: object): string {
    const name = createHash('sha256').update(JSON.stringify(asked)).digest('hex')
    return join(this.#folder, name.slice(0, 2), `${name}.json`)
  }
}
