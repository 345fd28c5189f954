import { createHash } from 'node:crypto'
import { mkdir, readFile, rename } from 'node:fs/promises'
import { join } from 'node:path'
import type { RunSettings } from '../eval/index.ts'
import { modelFiles } from './fingerprint.ts'
import type { CliReranker } from './io.ts'
import { writeOutput } from './output.ts'

/** Everything that scores depend on. */
interface ScoreSource {
  readonly info: CliReranker['info']
  /** The layers that have a list of scores each. */
  readonly layers: readonly number[]
  readonly pairs: readonly (readonly [query: string, passage: string])[]
  /** Of inputs, such as their longest length. */
  readonly settings?: RunSettings
}

/**
 * Scores from a folder, or made and kept there: a list for each layer.
 *
 * @param folder where there is none, nothing is kept
 */
export async function cachedScores(
  folder: string | undefined,
  source: ScoreSource,
  make: () => Promise<number[][]>,
): Promise<number[][]> {
  if (folder === undefined) return make()
  const path = join(folder, `${await keyOf(source)}.json`)
  const kept: number[][] | undefined = await readFile(path, 'utf8')
    .then(JSON.parse)
    .catch(() => undefined)
  if (kept) return kept
  const made = await make()
  await mkdir(folder, { recursive: true })
  await writeOutput(`${path}.part`, JSON.stringify(made))
  await rename(`${path}.part`, path)
  return made
}

async function keyOf({ info, layers, pairs, settings = {} }: ScoreSource): Promise<string> {
  const { dtype, activations } = info
  const text = JSON.stringify([await modelFiles(info), dtype, activations, settings, layers, pairs])
  return createHash('sha256').update(text).digest('hex').slice(0, 32)
}
