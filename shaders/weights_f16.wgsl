// Weights as stored in f16: a pair of neighbours along k is one word, the first in the low half.
alias Weights2 = u32;
alias Weights4 = vec2u;
fn unpack2(w: Weights2) -> vec2f { return unpack2x16float(w); }
fn unpack4(w: Weights4) -> vec4f { return vec4f(unpack2x16float(w.x), unpack2x16float(w.y)); }

const COLUMNS_A_LOAD = 2u; // of which 16 bytes hold four along k
fn unpack_column(words: vec4u, column: u32) -> vec4f { return unpack4(vec2u(words[2u * column], words[2u * column + 1u])); }
