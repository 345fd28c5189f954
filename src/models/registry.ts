import type { Config } from '../checkpoint/index.ts'
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

/** The family of each model, by what `architectures` in config.json calls it. */
export const families: Readonly<Record<string, Family>> = {
  XLMRobertaForSequenceClassification: xlmRoberta,
  JinaBertForSequenceClassification: jinaBert,
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
}

/** The family of a known architecture. Checkpoints of JinaBERT may call themselves BERT; their positions show what they are. */
export function familyOf(architecture: string, config: Config): Family {
  const isAlibi = config.raw.position_embedding_type === 'alibi'
  return isAlibi && architecture === 'BertForSequenceClassification'
    ? jinaBert
    : (families[architecture] as Family)
}
