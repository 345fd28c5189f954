// @ts-check
// ONNX files of matrix products with constant weights, written without Python: the few messages of onnx.proto that they
// need, in the encoding of Protocol Buffers.

const float = 1
const int64 = 7

/** @param {number} value */
function varint(value) {
  const bytes = []
  let rest = value
  while (rest > 0x7f) {
    bytes.push((rest % 0x80) | 0x80)
    rest = Math.floor(rest / 0x80)
  }
  return Buffer.from([...bytes, rest])
}

/**
 * A member that is a whole number.
 * @param {number} field
 * @param {number} value
 */
const number = (field, value) => Buffer.concat([varint(field * 8), varint(value)])

/**
 * A member that has a length: text, bytes, or a message of its members.
 * @param {number} field
 * @param {string | Uint8Array | readonly Uint8Array[]} content
 */
function block(field, content) {
  const bytes = Array.isArray(content)
    ? Buffer.concat(content)
    : Buffer.from(/** @type {string} */ (content))
  return Buffer.concat([varint(field * 8 + 2), varint(bytes.length), bytes])
}

/**
 * TensorProto: dims, data_type, name, raw_data.
 * @param {string} name
 * @param {number} type
 * @param {readonly number[]} dims
 * @param {Float32Array | BigInt64Array} data
 */
const tensor = (name, type, dims, data) => [
  ...dims.map((size) => number(1, size)),
  number(2, type),
  block(8, name),
  block(9, Buffer.from(data.buffer, data.byteOffset, data.byteLength)),
]

/**
 * ValueInfoProto of an f32 tensor: name, type.tensor_type { elem_type, shape }.
 * @param {string} name
 * @param {readonly number[]} dims
 */
function value(name, dims) {
  const shape = dims.map((size) => block(1, [number(1, size)]))
  return [block(1, name), block(2, [block(1, [number(1, float), block(2, shape)])])]
}

/**
 * NodeProto: input, output, op_type.
 * @param {string} operator
 * @param {readonly string[]} inputs
 * @param {string} output
 */
const node = (operator, inputs, output) => [
  ...inputs.map((name) => block(1, name)),
  block(2, output),
  block(4, operator),
]

/**
 * A model that multiplies its input `a`, [rows, inner], by `copies` weights, [inner, columns], each of its own, so that
 * a run takes long enough for its fixed costs not to count. Of each product the first number alone is an output, y0 on:
 * reading a whole one back would be timed too.
 * @param {{ rows: number, inner: number, columns: number, copies: number }} sizes
 * @returns {Buffer} what model.onnx would hold
 */
export function matmulModel({ rows, inner, columns, copies }) {
  const nodes = []
  const constants = [
    tensor('starts', int64, [2], BigInt64Array.of(0n, 0n)),
    tensor('ends', int64, [2], BigInt64Array.of(1n, 1n)),
  ]
  const outputs = []
  for (let i = 0; i < copies; i++) {
    const data = Float32Array.from({ length: inner * columns }, (_, at) => ((at * 7 + i) % 13) - 6)
    constants.push(tensor(`w${i}`, float, [inner, columns], data))
    nodes.push(node('MatMul', ['a', `w${i}`], `c${i}`))
    nodes.push(node('Slice', [`c${i}`, 'starts', 'ends'], `y${i}`))
    outputs.push(value(`y${i}`, [1, 1]))
  }
  const graph = [
    ...nodes.map((each) => block(1, each)),
    block(2, 'matmul'),
    ...constants.map((each) => block(5, each)),
    block(11, value('a', [rows, inner])),
    ...outputs.map((each) => block(12, each)),
  ]
  // ir_version, graph, opset_import
  return Buffer.concat([number(1, 9), block(7, graph), block(8, [block(1, ''), number(2, 17)])])
}
