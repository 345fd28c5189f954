// needs: WIDTH
// The matrix kernel's weights, stored in bf16: 8 neighbours along k of a column, as numbers of f16. `weight` is the kernel's.
alias Words = vec4u; // of weight, as they are read
alias Chunk = vec4u;
struct ChunkNumbers { low: vec4<f16>, high: vec4<f16> }

// 8 numbers of the column that is so much further than `column`.
fn load_chunk(step: u32, column: u32, further: u32, chunk: u32) -> Chunk {
  return weight[(step * WIDTH + column) * 4u + chunk + 4u * further];
}

fn as_f16(words: vec2u) -> vec4<f16> {
  return vec4<f16>(bitcast<vec4f>(vec4u(words.x << 16u, words.x & 0xffff0000u, words.y << 16u, words.y & 0xffff0000u)));
}
fn unpack_chunk(words: Chunk) -> ChunkNumbers { return ChunkNumbers(as_f16(words.xy), as_f16(words.zw)); }
