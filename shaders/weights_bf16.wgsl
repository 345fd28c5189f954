// Weights as stored in bf16, the upper half of an f32: a pair of neighbours along k is one word.
alias Weights2 = u32;
alias Weights4 = vec2u;
alias Weights8 = vec4u;
fn unpack2(w: Weights2) -> vec2f { return bitcast<vec2f>(vec2u(w << 16u, w & 0xffff0000u)); }
fn unpack4(w: Weights4) -> vec4f { return vec4f(unpack2(w.x), unpack2(w.y)); }
fn unpack_pair(w: Weights8, pair: u32) -> vec2f { return unpack2(w[pair]); }
