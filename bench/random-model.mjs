// @ts-check
// Model folders with random weights, for measurements that do not care what the scores are.
import {
  closeSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  writeFileSync,
  writeSync,
} from 'node:fs'
import { join } from 'node:path'
import { gunzipSync } from 'node:zlib'
import { generator } from './peers/workload.mjs'

/** Numbers drawn; the weights repeat them. A prime, so that no two rows are alike. */
const drawnNumbers = 1048573
const seed = 20261123
const pieceRows = 1024

/**
 * @typedef {Record<string, any>} Config of config.json
 * @typedef {{ name: string, shape: [number, number] | [number] }} Tensor
 */

/**
 * What the checkpoints of an encoder family call their tensors: the embeddings they have, and how their layers and heads differ.
 * @type {Record<string, {
 *   prefix: string, embeddings: [name: string, rows: string][], projections: [query: string, key: string, value: string],
 *   head: string[], output: string,
 * }>}
 */
const encoderNames = {
  'xlm-roberta': {
    prefix: 'roberta',
    embeddings: [
      ['word', 'vocab_size'],
      ['position', 'max_position_embeddings'],
      ['token_type', 'type_vocab_size'],
    ],
    projections: ['query', 'key', 'value'],
    head: ['classifier.dense'],
    output: 'classifier.out_proj',
  },
  bert: {
    prefix: 'bert',
    embeddings: [
      ['word', 'vocab_size'],
      ['position', 'max_position_embeddings'],
      ['token_type', 'type_vocab_size'],
    ],
    projections: ['query', 'key', 'value'],
    head: ['bert.pooler.dense'],
    output: 'classifier',
  },
  'deberta-v2': {
    prefix: 'deberta',
    embeddings: [['word', 'vocab_size']],
    projections: ['query_proj', 'key_proj', 'value_proj'],
    head: ['pooler.dense'],
    output: 'classifier',
  },
}

/**
 * The tensors of an encoder with a classification head of one label, by its `model_type`.
 * @param {Config} config
 * @returns {Tensor[]}
 */
export function encoderTensors(config) {
  const { hidden_size: hidden, intermediate_size: inner, model_type: type } = config
  const names = encoderNames[type]
  if (!names) throw new Error(`model_type: found ${type}; expected ${Object.keys(encoderNames)}`)
  const { prefix, embeddings, projections, head, output } = names
  /** @param {string} name @param {number} columns @param {number} width @returns {Tensor[]} */
  const linear = (name, columns, width) => [
    { name: `${name}.weight`, shape: [columns, width] },
    { name: `${name}.bias`, shape: [columns] },
  ]
  /** @param {string} name @returns {Tensor[]} */
  const norm = (name) => [
    { name: `${name}.weight`, shape: [hidden] },
    { name: `${name}.bias`, shape: [hidden] },
  ]
  /** @type {Tensor[]} */
  const tensors = embeddings.map(([name, rows]) => {
    return { name: `${prefix}.embeddings.${name}_embeddings.weight`, shape: [config[rows], hidden] }
  })
  tensors.push(...norm(`${prefix}.embeddings.LayerNorm`))
  for (let i = 0; i < config.num_hidden_layers; i++) {
    const layer = `${prefix}.encoder.layer.${i}`
    tensors.push(
      ...projections.flatMap((name) => linear(`${layer}.attention.self.${name}`, hidden, hidden)),
      ...linear(`${layer}.attention.output.dense`, hidden, hidden),
      ...norm(`${layer}.attention.output.LayerNorm`),
      ...linear(`${layer}.intermediate.dense`, inner, hidden),
      ...linear(`${layer}.output.dense`, hidden, inner),
      ...norm(`${layer}.output.LayerNorm`),
    )
  }
  if (config.relative_attention) {
    tensors.push(
      {
        name: `${prefix}.encoder.rel_embeddings.weight`,
        shape: [2 * config.position_buckets, hidden],
      },
      ...norm(`${prefix}.encoder.LayerNorm`),
    )
  }
  return [
    ...tensors,
    ...head.flatMap((name) => linear(name, hidden, hidden)),
    ...linear(output, 1, hidden),
  ]
}

/**
 * The tensors of a decoder: Gemma or Qwen3 with the head tied to the embeddings, or layerwise MiniCPM with simple heads.
 * @param {Config} config
 * @returns {Tensor[]}
 */
export function decoderTensors(config) {
  const { hidden_size: hidden, intermediate_size: inner, num_attention_heads: heads } = config
  const width = config.head_dim ?? hidden / heads
  const queries = heads * width
  const keys = config.num_key_value_heads * width
  const queryKeyNorms = config.model_type === 'qwen3' ? ['q_norm', 'k_norm'] : []
  /** @type {Tensor[]} */
  const tensors = [{ name: 'model.embed_tokens.weight', shape: [config.vocab_size, hidden] }]
  for (let i = 0; i < config.num_hidden_layers; i++) {
    const layer = `model.layers.${i}`
    tensors.push(
      { name: `${layer}.input_layernorm.weight`, shape: [hidden] },
      { name: `${layer}.self_attn.q_proj.weight`, shape: [queries, hidden] },
      { name: `${layer}.self_attn.k_proj.weight`, shape: [keys, hidden] },
      { name: `${layer}.self_attn.v_proj.weight`, shape: [keys, hidden] },
      ...queryKeyNorms.map((name) => {
        return /** @type {Tensor} */ ({ name: `${layer}.self_attn.${name}.weight`, shape: [width] })
      }),
      { name: `${layer}.self_attn.o_proj.weight`, shape: [hidden, queries] },
      { name: `${layer}.post_attention_layernorm.weight`, shape: [hidden] },
      { name: `${layer}.mlp.gate_proj.weight`, shape: [inner, hidden] },
      { name: `${layer}.mlp.up_proj.weight`, shape: [inner, hidden] },
      { name: `${layer}.mlp.down_proj.weight`, shape: [hidden, inner] },
    )
  }
  tensors.push({ name: 'model.norm.weight', shape: [hidden] })
  const scored = config.start_layer ? config.num_hidden_layers - config.start_layer + 1 : 0
  for (let i = 0; i < scored; i++) {
    tensors.push({ name: `lm_head.${i}.linear_head.weight`, shape: [1, hidden] })
  }
  return tensors
}

/**
 * Numbers in 16 bits, rounded towards zero; what f16 has no normal number for becomes zero.
 * @param {ArrayLike<number>} values at most 1 in size
 * @param {'BF16' | 'F16'} dtype
 */
function toHalf(values, dtype) {
  const words = new Uint32Array(Float32Array.from(values).buffer)
  if (dtype === 'BF16') return Uint16Array.from(words, (word) => word >>> 16)
  return Uint16Array.from(words, (word) => {
    const exponent = ((word >>> 23) & 0xff) - 112
    const sign = (word >>> 16) & 0x8000
    return exponent < 1 ? sign : sign | (exponent << 10) | ((word >>> 13) & 0x3ff)
  })
}

/**
 * Writes the data of one tensor: norms of ones, biases of zeros, uniform numbers of unit gain elsewhere.
 * @param {number} file
 * @param {Tensor} tensor
 * @param {Float32Array} drawn uniform in -1 to 1
 * @param {'BF16' | 'F16'} dtype
 */
function writeTensor(file, { name, shape: [rows, columns] }, drawn, dtype) {
  if (columns === undefined) {
    const value = name.endsWith('.bias') ? 0 : 1
    writeSync(file, toHalf(new Float32Array(rows).fill(value), dtype))
    return
  }
  const gain = Math.sqrt(3 / columns)
  const used = drawn.subarray(0, rows * columns)
  const values = toHalf(
    used.map((value) => value * gain),
    dtype,
  )
  let at = 0
  for (let row = 0; row < rows; row += pieceRows) {
    const piece = new Uint16Array(Math.min(pieceRows, rows - row) * columns)
    for (let filled = 0; filled < piece.length; ) {
      const part = values.subarray(at, at + piece.length - filled)
      piece.set(part, filled)
      filled += part.length
      at = (at + part.length) % values.length
    }
    writeSync(file, piece)
  }
}

/**
 * Writes model.safetensors.
 * @param {string} folder
 * @param {readonly Tensor[]} tensors
 * @param {'BF16' | 'F16'} dtype
 */
function writeWeights(folder, tensors, dtype) {
  /** @type {Record<string, unknown>} */
  const header = {}
  let offset = 0
  for (const { name, shape } of tensors) {
    const end = offset + 2 * shape.reduce((product, size) => product * size, 1)
    header[name] = { dtype, shape, data_offsets: [offset, end] }
    offset = end
  }
  const json = Buffer.from(JSON.stringify(header))
  const padded = Buffer.concat([json, Buffer.alloc((8 - (json.length % 8)) % 8, ' ')])
  const size = Buffer.alloc(8)
  size.writeBigUInt64LE(BigInt(padded.length))
  const random = generator(seed)
  const drawn = Float32Array.from({ length: drawnNumbers }, () => 2 * random() - 1)
  const file = join(folder, 'model.safetensors')
  const handle = openSync(`${file}.part`, 'w')
  writeSync(handle, Buffer.concat([size, padded]))
  for (const tensor of tensors) writeTensor(handle, tensor, drawn, dtype)
  closeSync(handle)
  renameSync(`${file}.part`, file)
}

/**
 * Makes a model's folder, unless it is there with this very config.
 * @param {string} folder
 * @param {Config} config
 * @param {{ tensors: readonly Tensor[], dtype: 'BF16' | 'F16', tokenizerFrom: string }} parts tokenizerFrom: a folder
 * with tokenizer.json, or tokenizer.json.gz, and tokenizer_config.json
 */
function makeFolder(folder, config, { tensors, dtype, tokenizerFrom }) {
  const text = `${JSON.stringify(config, null, 2)}\n`
  const configFile = join(folder, 'config.json')
  if (existsSync(configFile) && readFileSync(configFile, 'utf8') === text) return
  console.log(`bench: making ${folder} with random weights`)
  mkdirSync(folder, { recursive: true })
  for (const name of ['tokenizer.json', 'tokenizer_config.json']) {
    const from = join(tokenizerFrom, name)
    if (existsSync(from)) copyFileSync(from, join(folder, name))
    else writeFileSync(join(folder, name), gunzipSync(readFileSync(`${from}.gz`)))
  }
  writeWeights(folder, tensors, dtype)
  // last: a folder with its config is a whole one
  writeFileSync(configFile, text)
}

/**
 * Makes the folder of a decoder with weights in bf16, unless it is there with this very config.
 * @param {string} folder
 * @param {Config} config but for `vocab_size`, which is the tokenizer's
 * @param {string} tokenizerFrom a model folder
 */
export function makeRandomDecoder(folder, config, tokenizerFrom) {
  const { vocab_size } = JSON.parse(readFileSync(join(tokenizerFrom, 'config.json'), 'utf8'))
  const whole = { ...config, vocab_size, torch_dtype: 'bfloat16' }
  makeFolder(folder, whole, { tensors: decoderTensors(whole), dtype: 'BF16', tokenizerFrom })
}

/**
 * Makes the folder of an encoder with one label and weights in f16, unless it is there with this very config.
 * @param {string} folder
 * @param {Config} config
 * @param {string} tokenizerFrom a folder with tokenizer.json or tokenizer.json.gz
 */
export function makeRandomEncoder(folder, config, tokenizerFrom) {
  const whole = { ...config, torch_dtype: 'float16' }
  makeFolder(folder, whole, { tensors: encoderTensors(whole), dtype: 'F16', tokenizerFrom })
}
