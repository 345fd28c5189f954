// Weights as stored in f32: a pair of neighbours along k is two words.
alias Weights2 = vec2f;
alias Weights4 = vec4f;
fn unpack2(w: Weights2) -> vec2f { return w; }
fn unpack4(w: Weights4) -> vec4f { return w; }
