// Weights as stored in f16: a pair of neighbours along k is one word, the first in the low half.
alias Weights2 = u32;
alias Weights4 = vec2u;
alias Weights8 = vec4u;
fn unpack2(w: Weights2) -> vec2f { return unpack2x16float(w); }
fn unpack4(w: Weights4) -> vec4f { return vec4f(unpack2x16float(w.x), unpack2x16float(w.y)); }
fn unpack_pair(w: Weights8, pair: u32) -> vec2f { return unpack2x16float(w[pair]); }
