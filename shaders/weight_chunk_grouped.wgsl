// needs: BITS, WIDTH
// The matrix kernel's weights, stored in groups of 32 along k (weights_grouped.wgsl): 8 neighbours of a column, as numbers of
// f16. `weight` is the kernel's.
alias Words = u32; // of weight, as they are read
struct Chunk { scale: u32, low: u32, high: u32 } // 8 numbers of 4 bits are one word
struct ChunkNumbers { low: vec4<f16>, high: vec4<f16> }

fn load_chunk(step: u32, column: u32, chunk: u32) -> Chunk {
  let group = (step * WIDTH + column) * (1u + BITS);
  let first = group + 1u + chunk * BITS / 4u;
  return Chunk(weight[group], weight[first], weight[first + BITS / 8u]);
}

fn as_f16(word: u32, scale: vec2f) -> vec4<f16> {
  let numbers = (vec4u(word) >> (BITS * vec4u(0u, 1u, 2u, 3u))) & vec4u((1u << BITS) - 1u);
  return vec4<f16>(fma(vec4f(numbers), vec4f(scale.x), vec4f(scale.y)));
}

fn unpack_chunk(words: Chunk) -> ChunkNumbers {
  let scale = bitcast<vec2f>(vec2u(words.scale << 16u, words.scale & 0xffff0000u));
  return ChunkNumbers(as_f16(words.low, scale), as_f16(words.high >> (32u - 4u * BITS), scale));
}
