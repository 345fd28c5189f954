/** Which keys of config.json count: those that a family does not read itself are checked here, as data. */
import { type Config, show } from '../checkpoint/index.ts'
import type { Activation } from '../tensor/linear.ts'
import { ModelError } from './errors.ts'

/** The keys of a family beyond those that its config is made of. */
export interface FamilyKeys {
  /** What messages call the family: the class of the reference. */
  readonly name: string
  /** Keys that change the result, and the one value for which it is computed, which is also the default; `{}` is empty. */
  readonly only: Readonly<Record<string, boolean | number | string | Record<string, never>>>
  /** Keys that the reference has, and that change nothing at inference. */
  readonly inert: readonly string[]
}

/** As {@link FamilyKeys.only}, of every class of transformers. */
const onlyEverywhere: FamilyKeys['only'] = {
  pruned_heads: {},
  per_layer_config: {},
  transformers_weights: 'model.safetensors',
}

/** As {@link FamilyKeys.inert}, of every class of transformers, 4.46 and 5.24 (`PretrainedConfig`). */
const inertEverywhere = [
  // What the model is, and who wrote it. quantization_config is read with the checkpoint.
  ...['architectures', 'model_type', 'auto_map', '_name_or_path', 'name_or_path', '_commit_hash'],
  ...['transformers_version', 'quantization_config', 'sentence_transformers', 'finetuning_task'],
  ...['problem_type', 'num_labels', 'id2label', 'label2id', 'task_specific_params', 'loss_type'],
  // How PyTorch is to compute, and what is to be returned.
  ...['torch_dtype', 'dtype', 'use_bfloat16', 'torchscript', 'tf_legacy_loss', 'xla_device'],
  ...['attn_implementation', '_attn_implementation', '_attn_implementation_internal'],
  ...['_attn_implementation_autoset', 'experts_implementation', '_experts_implementation'],
  ...['_experts_implementation_internal', 'chunk_size_feed_forward', 'gradient_checkpointing'],
  ...['use_cache', 'output_past', 'output_attentions', 'output_hidden_states', 'return_dict'],
  // Training.
  ...[
    'initializer_range',
    'attention_dropout',
    'tie_encoder_decoder',
    'cross_attention_hidden_size',
  ],
  // Tokens, which the tokenizer's files name, and generation.
  ...['tokenizer_class', 'prefix', 'bos_token_id', 'eos_token_id', 'pad_token_id', 'sep_token_id'],
  ...['decoder_start_token_id', 'forced_bos_token_id', 'forced_eos_token_id', 'max_length'],
  ...['min_length', 'do_sample', 'early_stopping', 'num_beams', 'num_beam_groups', 'temperature'],
  ...['diversity_penalty', 'top_k', 'top_p', 'typical_p', 'repetition_penalty', 'length_penalty'],
  ...['no_repeat_ngram_size', 'encoder_no_repeat_ngram_size', 'bad_words_ids', 'output_scores'],
  ...['num_return_sequences', 'return_dict_in_generate', 'remove_invalid_values'],
  ...['exponential_decay_length_penalty', 'suppress_tokens', 'begin_suppress_tokens'],
]

/**
 * Ends the reading of a family's config: refuses values of which the result is not computed, and warns of keys that
 * neither the family nor the reference has.
 *
 * @throws ModelError `config-unsupported`, CheckpointError `config-invalid`
 */
export function settleKeys(config: Config, { name, only, inert }: FamilyKeys): void {
  for (const [key, computed] of Object.entries({ ...onlyEverywhere, ...only })) {
    const found = valueLike(config, key, computed)
    if (found === computed) continue
    throw unsupported(config, key, `${name} is computed with ${JSON.stringify(computed)} alone`)
  }
  const known = new Set([...inertEverywhere, ...inert])
  for (const key of config.unread()) {
    if (!known.has(key)) config.warn(`${name} has no key ${show(key)}; it is ignored`)
  }
}

/** A key's value, of the type of its default; of objects and lists the default itself where it is empty. */
function valueLike(config: Config, key: string, computed: FamilyKeys['only'][string]): unknown {
  if (typeof computed === 'boolean') return config.boolean(key, { default: computed })
  if (typeof computed === 'number') return config.number(key, { default: computed })
  if (typeof computed === 'string') return config.string(key, { default: computed })
  return config.size(key, { default: 0 }) === 0 ? computed : undefined
}

/** The error for a value of a key that is valid but not computed. */
export function unsupported(config: Config, key: string, expected: string): ModelError {
  return new ModelError(
    'config-unsupported',
    `${config.file}: "${key}" is ${show(config.raw[key])}; ${expected}`,
  )
}

/** The activations by the names that transformers has for them (`ACT2FN`); several compute the same. */
const activations: Readonly<Record<string, Activation>> = {
  gelu: 'gelu',
  gelu_python: 'gelu',
  gelu_pytorch_tanh: 'geluTanh',
  gelu_python_tanh: 'geluTanh',
  gelu_tanh: 'geluTanh',
  gelu_new: 'geluTanh',
  gelu_fast: 'geluTanh',
  gelu_accurate: 'geluTanh',
  silu: 'silu',
  swish: 'silu',
  relu: 'relu',
  tanh: 'tanh',
}

/** The activation that a key names; `standard` where it names none. */
export function activationOf(config: Config, key: string, standard: Activation): Activation {
  const allowed = Object.keys(activations)
  const name = config.string(key, { allowed, default: undefined })
  return name === undefined ? standard : (activations[name] as Activation)
}
