// Weights as stored in bf16, the upper half of an f32: a pair of neighbours along k is one word.
alias Weights2 = u32;
alias Weights4 = vec2u;
fn unpack2(w: Weights2) -> vec2f { return bitcast<vec2f>(vec2u(w << 16u, w & 0xffff0000u)); }
fn unpack4(w: Weights4) -> vec4f { return vec4f(unpack2(w.x), unpack2(w.y)); }

const COLUMNS_A_LOAD = 2u; // of which 16 bytes hold four along k
fn unpack_column(words: vec4u, column: u32) -> vec4f { return unpack4(vec2u(words[2u * column], words[2u * column + 1u])); }
