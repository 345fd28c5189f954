/** What a checkpoint calls the tensors of an encoder, below its own prefix; those of a layer below `layers` and its number. */
export interface EncoderNames {
  readonly embeddingNorm: string
  /** Where embeddings are of another width: the layer that widens them, before the norm and without bias, or after it. */
  readonly embeddingProjection?: {
    readonly name: string
    readonly at: 'before norm' | 'after norm'
  }
  readonly layers: string
  /** Three layers, or the one that holds all three. */
  readonly queryKeyValue: string | readonly [query: string, key: string, value: string]
  /** Norms of queries and keys over their whole width. */
  readonly queryNorm?: string
  readonly keyNorm?: string
  readonly attentionOutput: string
  readonly attentionNorm: string
  /** A norm of the sum of the layer's input and what `attentionNorm` gave. */
  readonly middleNorm?: string
  readonly up: string
  /** Where `up` holds a gate too, without bias: which of its halves is the gate. */
  readonly gate?: 'first' | 'second'
  readonly down: string
  readonly outputNorm: string
}

/** The names of BERT, which RoBERTa and XLM-R share. */
export const bertNames: EncoderNames = {
  embeddingNorm: 'embeddings.LayerNorm',
  layers: 'encoder.layer',
  queryKeyValue: ['attention.self.query', 'attention.self.key', 'attention.self.value'],
  attentionOutput: 'attention.output.dense',
  attentionNorm: 'attention.output.LayerNorm',
  up: 'intermediate.dense',
  down: 'output.dense',
  outputNorm: 'output.LayerNorm',
}
