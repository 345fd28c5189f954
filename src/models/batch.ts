/** Sequences of token ids, one after another: sequence i is starts[i] .. starts[i + 1] of `ids`. */
export interface Batch {
  readonly ids: Uint32Array<ArrayBuffer>
  readonly starts: Uint32Array<ArrayBuffer>
}

/** Packs sequences into a batch, without padding. */
export function packBatch(sequences: readonly Uint32Array[]): Batch {
  const starts = new Uint32Array(sequences.length + 1)
  sequences.forEach(({ length }, i) => {
    starts[i + 1] = (starts[i] as number) + length
  })
  const ids = new Uint32Array(starts.at(-1) as number)
  sequences.forEach((sequence, i) => {
    ids.set(sequence, starts[i])
  })
  return { ids, starts }
}
