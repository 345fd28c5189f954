import { RetrievalError } from './errors.ts'

/** A query of an evaluation. */
export interface Query {
  readonly id: string
  readonly text: string
}

/** A passage of a corpus. */
export interface Passage {
  readonly id: string
  readonly text: string
}

/** A passage that a first stage found. */
export interface Ranked {
  readonly id: string
  readonly score: number
}

/**
 * Finds the best `k` passages of a corpus for a query, best first; fewer where no more match. Calls may be made side by
 * side, and a stage may answer them together.
 */
export type FirstStage = (query: Query, k: number) => Promise<readonly Ranked[]>

/** @throws RetrievalError `option-invalid` unless `value` is a whole number from 1 on */
export function checkCount(name: string, value: number): void {
  if (Number.isSafeInteger(value) && value >= 1) return
  throw new RetrievalError(
    'option-invalid',
    `${name}: found ${value}; expected a whole number from 1 on`,
  )
}
