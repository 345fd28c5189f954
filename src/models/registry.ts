import type { Config } from '../checkpoint/index.ts'
import type { Family, LayerwiseFamily } from './family.ts'

/** A family of one kind of head: what is known before it is imported, which a load of its model does. */
type Row<Head extends Family['head']> = {
  readonly head: Head
  /** Whether tokens of passages can be merged on the way, as their recipe has options for. */
  readonly merges?: true
  readonly load: () => Promise<Extract<Family, { head: Head }>>
}

/** The row of a family, whatever its kind. */
export type FamilyRow = { [Head in Family['head']]: Row<Head> }[Family['head']]

const jinaBert: FamilyRow = {
  head: 'classifier',
  load: async () => (await import('./jina-bert.ts')).jinaBert,
}

/** The family of each model, by what `architectures` in config.json calls it. */
export const families: Readonly<Record<string, FamilyRow>> = {
  XLMRobertaForSequenceClassification: {
    head: 'classifier',
    load: async () => (await import('./xlm-roberta.ts')).xlmRoberta,
  },
  JinaBertForSequenceClassification: jinaBert,
  NewForSequenceClassification: {
    head: 'classifier',
    load: async () => (await import('./gte.ts')).gte,
  },
  ModernBertForSequenceClassification: {
    head: 'classifier',
    load: async () => (await import('./modernbert.ts')).modernBert,
  },
  GemmaForCausalLM: {
    head: 'word',
    load: async () => (await import('./gemma.ts')).gemma,
  },
  LlamaForCausalLM: {
    head: 'word',
    load: async () => (await import('./llama.ts')).llama,
  },
  MistralForCausalLM: {
    head: 'word',
    load: async () => (await import('./mistral.ts')).mistral,
  },
  Qwen2ForCausalLM: {
    head: 'word',
    load: async () => (await import('./qwen.ts')).qwen2,
  },
  Qwen3ForCausalLM: {
    head: 'word',
    load: async () => (await import('./qwen.ts')).qwen3,
  },
  Qwen3ForSequenceClassification: {
    head: 'last-token',
    load: async () => (await import('./qwen.ts')).qwen3Classifier,
  },
  LayerWiseMiniCPMForCausalLM: {
    head: 'layers',
    load: async () => (await import('./minicpm.ts')).minicpm as LayerwiseFamily,
  },
  CostWiseGemmaForCausalLM: {
    head: 'layers',
    merges: true,
    load: async () => (await import('./gemma2.ts')).gemma2 as LayerwiseFamily,
  },
  BertForSequenceClassification: {
    head: 'classifier',
    load: async () => (await import('./bert.ts')).bert,
  },
  BertWithSimilarityForSequenceClassification: {
    head: 'classifier',
    load: async () => (await import('./with-similarity.ts')).bertWithSimilarity,
  },
  XLMRobertaWithSimilarityForSequenceClassification: {
    head: 'classifier',
    load: async () => (await import('./with-similarity.ts')).xlmRobertaWithSimilarity,
  },
  RobertaForSequenceClassification: {
    head: 'classifier',
    load: async () => (await import('./xlm-roberta.ts')).roberta,
  },
  ElectraForSequenceClassification: {
    head: 'classifier',
    load: async () => (await import('./electra.ts')).electra,
  },
  DebertaV2ForSequenceClassification: {
    head: 'classifier',
    load: async () => (await import('./deberta.ts')).deberta,
  },
}

/** The family of a known architecture. Checkpoints of JinaBERT may call themselves BERT; their positions show what they are. */
export function familyOf(architecture: string, config: Config): FamilyRow {
  const isAlibi = config.raw.position_embedding_type === 'alibi'
  return isAlibi && architecture === 'BertForSequenceClassification'
    ? jinaBert
    : (families[architecture] as FamilyRow)
}
