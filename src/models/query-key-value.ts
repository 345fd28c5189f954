import { type Linear, linear, linears } from '../tensor/linear.ts'
import type { Tape } from '../tensor/tape.ts'
import type { Tensor } from '../tensor/tensor.ts'

/** The projections that go into attention. */
export interface QueryKeyValue {
  readonly query: Linear
  readonly key: Linear
  readonly value: Linear
}

/** Queries of the rows of `x`, keys and values of all rows: one launch where they are the same. */
export function queryKeyValue(
  tape: Tape,
  x: Tensor,
  all: Tensor,
  { query, key, value }: QueryKeyValue,
): readonly [q: Tensor, k: Tensor, v: Tensor] {
  if (x === all) return linears(tape, x, [query, key, value])
  return [linear(tape, x, query), ...linears(tape, all, [key, value])]
}
