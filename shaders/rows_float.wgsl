// uses: weights
// Rows of a table in a float dtype, gathered for the tokens at hand: [tokens, pairs]. `params` and `rows` are the kernel's.
alias Words = Weights2; // of rows, as they are read

fn row_pair(token: u32, pair: u32) -> vec2f { return unpack2(rows[token * params.pairs + pair]); }
