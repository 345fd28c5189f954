import { DawnrankError } from '../error.ts'
import { CliError } from './errors.ts'

/** Codes of what is wrong with one text or its score: others may be scored all the same. */
const codes = [
  'input-invalid',
  'score-not-finite',
  'embedding-not-finite',
  'input-too-long',
  'sequence-too-long',
  'token-out-of-range',
  'tokenizer-input',
]

/** Whether an error is the fault of one of the texts that were to be scored. */
export const ofRecord = (error: unknown): error is DawnrankError =>
  error instanceof DawnrankError && codes.includes(error.code)

/**
 * The error for texts that the model refuses, with their place in the data.
 *
 * @param error its message may begin with which pair or passage it is about
 * @param placeOf the place of the pair or passage with an index, or of all of them
 */
export function refusal(error: DawnrankError, placeOf: (index?: number) => string): CliError {
  const [, index, rest] =
    /^(?:pair|passage|text)s?[ [](\d+)\b\]?:?\s*(.*)$/s.exec(error.message) ?? []
  const message =
    index === undefined ? `${placeOf()}: ${error.message}` : `${placeOf(Number(index))}: ${rest}`
  return new CliError('record-refused', message, { cause: error })
}
