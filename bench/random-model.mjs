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

/** Numbers drawn; the weights repeat them. A prime, so that no two rows are alike. */
const DRAWN = 1048573
const PIECE_ROWS = 1024

/**
 * @typedef {Record<string, any>} Config of config.json
 * @typedef {{ name: string, shape: [number, number] | [number] }} Tensor
 */

/**
 * The tensors of a decoder: Gemma with its head tied to the embeddings, or layerwise MiniCPM with simple heads.
 * @param {Config} config
 * @returns {Tensor[]}
 */
function decoderTensors(config) {
  const { hidden_size: hidden, intermediate_size: inner, num_attention_heads: heads } = config
  const width = config.head_dim ?? hidden / heads
  const queries = heads * width
  const keys = config.num_key_value_heads * width
  /** @type {Tensor[]} */
  const tensors = [{ name: 'model.embed_tokens', shape: [config.vocab_size, hidden] }]
  for (let i = 0; i < config.num_hidden_layers; i++) {
    const layer = `model.layers.${i}`
    tensors.push(
      { name: `${layer}.input_layernorm`, shape: [hidden] },
      { name: `${layer}.self_attn.q_proj`, shape: [queries, hidden] },
      { name: `${layer}.self_attn.k_proj`, shape: [keys, hidden] },
      { name: `${layer}.self_attn.v_proj`, shape: [keys, hidden] },
      { name: `${layer}.self_attn.o_proj`, shape: [hidden, queries] },
      { name: `${layer}.post_attention_layernorm`, shape: [hidden] },
      { name: `${layer}.mlp.gate_proj`, shape: [inner, hidden] },
      { name: `${layer}.mlp.up_proj`, shape: [inner, hidden] },
      { name: `${layer}.mlp.down_proj`, shape: [hidden, inner] },
    )
  }
  tensors.push({ name: 'model.norm', shape: [hidden] })
  const scored = config.start_layer ? config.num_hidden_layers - config.start_layer + 1 : 0
  for (let i = 0; i < scored; i++) {
    tensors.push({ name: `lm_head.${i}.linear_head`, shape: [1, hidden] })
  }
  return tensors
}

/**
 * Numbers as the upper halves of their f32 patterns: bf16, rounded towards zero.
 * @param {ArrayLike<number>} values
 */
function toBf16(values) {
  const words = new Uint32Array(Float32Array.from(values).buffer)
  return Uint16Array.from(words, (word) => word >>> 16)
}

/**
 * Writes the data of one tensor: norms of ones, uniform numbers of unit gain elsewhere.
 * @param {number} file
 * @param {Tensor} tensor
 * @param {Float32Array} drawn uniform in -1 to 1
 */
function writeTensor(file, { shape: [rows, columns] }, drawn) {
  if (columns === undefined) {
    writeSync(file, toBf16(new Float32Array(rows).fill(1)))
    return
  }
  const values = toBf16(drawn.map((value) => value * Math.sqrt(3 / columns)))
  let at = 0
  for (let row = 0; row < rows; row += PIECE_ROWS) {
    const piece = new Uint16Array(Math.min(PIECE_ROWS, rows - row) * columns)
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
 * Makes the folder of a decoder with weights in bf16, unless it is there with this very config.
 * @param {string} folder
 * @param {Config} config but for `vocab_size`, which is the tokenizer's
 * @param {string} tokenizerFrom a model folder
 */
export function makeRandomDecoder(folder, config, tokenizerFrom) {
  const { vocab_size } = JSON.parse(readFileSync(join(tokenizerFrom, 'config.json'), 'utf8'))
  const whole = { ...config, vocab_size, torch_dtype: 'bfloat16' }
  const text = `${JSON.stringify(whole, null, 2)}\n`
  const configFile = join(folder, 'config.json')
  if (existsSync(configFile) && readFileSync(configFile, 'utf8') === text) return
  mkdirSync(folder, { recursive: true })
  for (const name of ['tokenizer.json', 'tokenizer_config.json']) {
    copyFileSync(join(tokenizerFrom, name), join(folder, name))
  }
  const tensors = decoderTensors(whole)
  /** @type {Record<string, unknown>} */
  const header = {}
  let offset = 0
  for (const { name, shape } of tensors) {
    const end = offset + 2 * shape.reduce((product, size) => product * size, 1)
    header[`${name}.weight`] = { dtype: 'BF16', shape, data_offsets: [offset, end] }
    offset = end
  }
  const json = Buffer.from(JSON.stringify(header))
  const padded = Buffer.concat([json, Buffer.alloc((8 - (json.length % 8)) % 8, ' ')])
  const size = Buffer.alloc(8)
  size.writeBigUInt64LE(BigInt(padded.length))
  const drawn = Float32Array.from({ length: DRAWN }, () => 2 * Math.random() - 1)
  const file = join(folder, 'model.safetensors')
  const handle = openSync(`${file}.part`, 'w')
  writeSync(handle, Buffer.concat([size, padded]))
  for (const tensor of tensors) writeTensor(handle, tensor, drawn)
  closeSync(handle)
  renameSync(`${file}.part`, file)
  // last: a folder with its config is a whole one
  writeFileSync(configFile, text)
}
