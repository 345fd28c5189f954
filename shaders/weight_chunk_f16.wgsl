// needs: WIDTH
// The matrix kernel's weights: 8 neighbours along k of a column, as they are stored. `weight` is the kernel's.
alias Words = vec4u; // of weight, as they are read
alias Chunk = vec4u;
struct ChunkNumbers { low: vec4<f16>, high: vec4<f16> }

// 8 numbers of the column that is so much further than `column`.
fn load_chunk(step: u32, column: u32, further: u32, chunk: u32) -> Chunk {
  return weight[(step * WIDTH + column) * 4u + chunk + 4u * further];
}
fn unpack_chunk(words: Chunk) -> ChunkNumbers {
  return ChunkNumbers(bitcast<vec4<f16>>(words.xy), bitcast<vec4<f16>>(words.zw));
}
