import { parseJson } from '../json.ts'
import { type Folder, readWhole } from '../platform/files.ts'
import { RerankerError } from './errors.ts'
import { show } from './options.ts'

/** The file of a model's folder that holds a pair and the score that PyTorch gave it in float32. */
export const selfTestFile = 'self-test.json'

/** A pair, the score of the reference, and how far a score may be off, relative to max(1, |score|). */
export interface SelfTest {
  readonly query: string
  readonly passage: string
  readonly score: number
  readonly tolerance: number
}

/** Reads a folder's self-test. */
export async function readSelfTest(folder: Folder): Promise<SelfTest> {
  const file = `${folder.name}/${selfTestFile}`
  const bytes = await readWhole(folder, selfTestFile)
  if (!bytes)
    throw new RerankerError('self-test-failed', `${file}: there is none; load without selfTest`)
  let found: Partial<Record<keyof SelfTest, unknown>> | null
  try {
    found = parseJson(new TextDecoder('utf-8', { fatal: true }).decode(bytes)) as typeof found
  } catch (cause) {
    throw new RerankerError('self-test-failed', `${file}: not JSON`, { cause })
  }
  const { query, passage, score, tolerance } = found ?? {}
  const fits =
    typeof query === 'string' &&
    typeof passage === 'string' &&
    Number.isFinite(score) &&
    Number.isFinite(tolerance)
  if (!fits) {
    throw new RerankerError(
      'self-test-failed',
      `${file}: found ${show(found)}; expected query, passage, score and tolerance`,
    )
  }
  return found as SelfTest
}

/** What 16-bit activations may add to the difference, and weights rounded to a dtype. */
const ofF16Activations = 3e-2
const ofWeights: Readonly<Record<string, number>> = { bf16: 3e-2, int8: 3e-2, int4: 3e-1 }

/** Throws unless the score found is the one stored. */
export function checkSelfTest(
  { score, tolerance }: Pick<SelfTest, 'score' | 'tolerance'>,
  found: number,
  { dtype, activations }: { readonly dtype: string; readonly activations: string },
): void {
  const coarse = Math.max(activations === 'f16' ? ofF16Activations : 0, ofWeights[dtype] ?? 0)
  const allowed = Math.max(tolerance, coarse) * Math.max(1, Math.abs(score))
  if (Math.abs(found - score) <= allowed) return
  throw new RerankerError(
    'self-test-failed',
    `self-test: the score is ${found}; expected ${score} within ${allowed}. This adapter or its driver computes wrongly; please report it with the output of "dawnrank doctor"`,
  )
}
