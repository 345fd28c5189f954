// needs: BITS
// Weights as whole numbers of BITS bits, in groups of GROUP neighbours along k. A group is a word with its scale (the low half)
// and its offset in bf16, then BITS words of numbers, the first in the lowest bits. A weight is number * scale + offset.
alias Weights4 = u32;
const WORD = 32u / BITS; // numbers in a word
const COLUMNS_A_LOAD = 4u; // of which 16 bytes hold a word

fn unpack_scale(word: u32) -> vec2f { return bitcast<vec2f>(vec2u(word << 16u, word & 0xffff0000u)); }

// The weights of four numbers of a word, from number 4 * quad on.
fn unpack4(word: u32, quad: u32, scale: vec2f) -> vec4f {
  let shift = 4u * BITS * quad + BITS * vec4u(0u, 1u, 2u, 3u);
  let numbers = (vec4u(word) >> shift) & vec4u((1u << BITS) - 1u);
  // Processors convert signed numbers in one instruction, others not.
  return fma(vec4f(vec4i(numbers)), vec4f(scale.x), vec4f(scale.y));
}
