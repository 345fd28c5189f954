import type { Config } from '../checkpoint/index.ts'
<<<<<<< HEAD
import { bert } from './bert.ts'
import { deberta } from './deberta.ts'
import { electra } from './electra.ts'
import type { Family, LayerwiseFamily } from './family.ts'
import { gemma } from './gemma.ts'
import { gemma2 } from './gemma2.ts'
import { gte } from './gte.ts'
import { jinaBert } from './jina-bert.ts'
import { llama } from './llama.ts'
import { minicpm } from './minicpm.ts'
import { mistral } from './mistral.ts'
import { modernBert } from './modernbert.ts'
import { qwen2, qwen3, qwen3Classifier } from './qwen.ts'
import { bertWithSimilarity, xlmRobertaWithSimilarity } from './with-similarity.ts'
import { roberta, xlmRoberta } from './xlm-roberta.ts'
=======
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
>>>>>>> 71aafef (Families of models are imported when a model of theirs is loaded)

/** The family of each model, by what `architectures` in config.json calls it. */
export const families: Readonly<Record<string, FamilyRow>> = {
  XLMRobertaForSequenceClassification: {
    head: 'classifier',
    load: async () => (await import('./xlm-roberta.ts')).xlmRoberta,
  },
  JinaBertForSequenceClassification: jinaBert,
<<<<<<< HEAD
  NewForSequenceClassification: gte,
  ModernBertForSequenceClassification: modernBert,
  GemmaForCausalLM: gemma,
  LlamaForCausalLM: llama,
  MistralForCausalLM: mistral,
  Qwen2ForCausalLM: qwen2,
  Qwen3ForCausalLM: qwen3,
  Qwen3ForSequenceClassification: qwen3Classifier,
  LayerWiseMiniCPMForCausalLM: minicpm as LayerwiseFamily,
  CostWiseGemmaForCausalLM: gemma2 as LayerwiseFamily,
  BertForSequenceClassification: bert,
  BertWithSimilarityForSequenceClassification: bertWithSimilarity,
  XLMRobertaWithSimilarityForSequenceClassification: xlmRobertaWithSimilarity,
  RobertaForSequenceClassification: roberta,
  ElectraForSequenceClassification: electra,
  DebertaV2ForSequenceClassification: deberta,
=======
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
    load: async () => (await import('./bert-with-similarity.ts')).bertWithSimilarity,
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
>>>>>>> 71aafef (Families of models are imported when a model of theirs is loaded)
}

/** The family of a known architecture. Checkpoints of JinaBERT may call themselves BERT; their positions show what they are. */
export function familyOf(architecture: string, config: Config): FamilyRow {
  const isAlibi = config.raw.position_embedding_type === 'alibi'
  return isAlibi && architecture === 'BertForSequenceClassification'
    ? jinaBert
    : (families[architecture] as FamilyRow)
}
