// Weights as stored in f32: a pair of neighbours along k is two words.
alias Weights2 = vec2f;
alias Weights4 = vec4f;
fn unpack2(w: Weights2) -> vec2f { return w; }
fn unpack4(w: Weights4) -> vec4f { return w; }

const COLUMNS_A_LOAD = 1u; // of which 16 bytes hold four along k
fn unpack_column(words: vec4u, _column: u32) -> vec4f { return bitcast<vec4f>(words); }
