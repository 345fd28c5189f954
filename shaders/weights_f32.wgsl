// Weights as stored in f32: a pair of neighbours along k is two words.
alias Weights2 = vec2f;
alias Weights4 = vec4f;
alias Weights8 = mat2x4f;
fn unpack2(w: Weights2) -> vec2f { return w; }
fn unpack4(w: Weights4) -> vec4f { return w; }
fn unpack_pair(w: Weights8, pair: u32) -> vec2f {
  let four = w[pair / 2u];
  return select(four.xy, four.zw, pair % 2u == 1u);
}
