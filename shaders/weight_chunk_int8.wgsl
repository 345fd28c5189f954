// needs: WIDTH
// The matrix kernel's weights, stored in groups of 32 along k (weights_grouped.wgsl) of 8 bits: 8 neighbours of a column, as
// numbers of f16. `weight` is the kernel's.
alias Words = u32; // of weight, as they are read
struct Chunk { scale: u32, low: u32, high: u32 }
struct ChunkNumbers { low: vec4<f16>, high: vec4<f16> }

// 8 numbers of the column that is so much further than `column`.
fn load_chunk(step: u32, column: u32, further: u32, chunk: u32) -> Chunk {
  let group = 9u * (step * WIDTH) + 9u * (column + further);
  let first = group + 1u + 2u * chunk;
  return Chunk(weight[group], weight[first], weight[first + 1u]);
}

fn as_f16(word: u32, scale: vec2f) -> vec4<f16> {
  let numbers = vec4f((vec4u(word) >> vec4u(0u, 8u, 16u, 24u)) & vec4u(0xffu));
  return vec4<f16>(fma(numbers, vec4f(scale.x), vec4f(scale.y)));
}

fn unpack_chunk(words: Chunk) -> ChunkNumbers {
  let scale = bitcast<vec2f>(vec2u(words.scale << 16u, words.scale & 0xffff0000u));
  return ChunkNumbers(as_f16(words.low, scale), as_f16(words.high, scale));
}
