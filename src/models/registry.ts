import { bert } from './bert.ts'
import type { Family, LayerwiseFamily } from './family.ts'
import { gemma } from './gemma.ts'
import { llama } from './llama.ts'
import { minicpm } from './minicpm.ts'
import { mistral } from './mistral.ts'
import { xlmRoberta } from './xlm-roberta.ts'

/** The family of each model, by what `architectures` in config.json calls it. */
export const families: Readonly<Record<string, Family>> = {
  XLMRobertaForSequenceClassification: xlmRoberta,
  GemmaForCausalLM: gemma,
  LlamaForCausalLM: llama,
  MistralForCausalLM: mistral,
  LayerWiseMiniCPMForCausalLM: minicpm as LayerwiseFamily,
  BertForSequenceClassification: bert,
}
