// needs: WIDTH
// The matrix kernel's weights, stored in groups of 32 along k (weights_grouped.wgsl) of 4 bits: 8 neighbours of a column, as
// numbers of f16. `weight` is the kernel's.
alias Words = u32; // of weight, as they are read
struct Chunk { scale: u32, numbers: u32 }
struct ChunkNumbers { low: vec4<f16>, high: vec4<f16> }

// 8 numbers of the column that is so much further than `column`.
fn load_chunk(step: u32, column: u32, further: u32, chunk: u32) -> Chunk {
  let group = 5u * (step * WIDTH + column) + 5u * further;
  return Chunk(weight[group], weight[group + 1u + chunk]);
}

fn bytes(word: u32) -> vec4f { return vec4f((vec4u(word) >> vec4u(0u, 8u, 16u, 24u)) & vec4u(0xffu)); }
fn as_f16(numbers: vec4f, scale: vec2f) -> vec4<f16> { return vec4<f16>(fma(numbers, vec4f(scale.x), vec4f(scale.y))); }

fn unpack_chunk(words: Chunk) -> ChunkNumbers {
  let scale = bitcast<vec2f>(vec2u(words.scale << 16u, words.scale & 0xffff0000u));
  // Every other number as bytes, of which GPUs make floats in one instruction.
  let even = bytes(words.numbers & 0x0f0f0f0fu);
  let odd = bytes((words.numbers >> 4u) & 0x0f0f0f0fu);
  return ChunkNumbers(
    as_f16(vec4f(even.x, odd.x, even.y, odd.y), scale),
    as_f16(vec4f(even.z, odd.z, even.w, odd.w), scale),
  );
}
