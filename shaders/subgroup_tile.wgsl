// needs: S, COLS
// What the linear kernels for processors share. The workgroup is one subgroup of S lanes, and makes 2 * S rows, low and
// high, of S * COLS columns, COLS neighbours to a lane. A load costs much more than arithmetic there, so each is of 16
// bytes: of x four neighbours along k of the lane's own row in each half, which shuffles hand round once for all columns,
// and of the weight four neighbours along k of COLUMNS_A_LOAD of the lane's columns.
const LOADS = COLS / COLUMNS_A_LOAD;

alias Sums = array<array<f32, COLS>, S>;
alias Weights = array<vec4f, COLS>;

// Adds the products of four numbers of each lane's row with the lane's weights.
fn add_products(sums: ptr<function, Sums>, numbers: vec4f, w: ptr<function, Weights>) {
  for (var r = 0u; r < S; r++) {
    for (var k = 0u; k < 4u; k++) {
      let number = subgroupShuffle(numbers[k], r);
      for (var c = 0u; c < COLS; c++) { (*sums)[r][c] = fma(number, (*w)[c][k], (*sums)[r][c]); }
    }
  }
}

fn finish_tile(row: u32, tile: u32, lane: u32, low: ptr<function, Sums>, high: ptr<function, Sums>) {
  // What is done with the sums must be a loop: unrolled, it is most of the shader. Their own arrays would lie in memory
  // all the time if a loop read them.
  var finished: array<f32, 2u * S * COLS>;
  for (var r = 0u; r < S; r++) {
    for (var c = 0u; c < COLS; c++) { finished[r * COLS + c] = (*low)[r][c]; }
  }
  for (var r = 0u; r < S; r++) {
    for (var c = 0u; c < COLS; c++) { finished[(S + r) * COLS + c] = (*high)[r][c]; }
  }
  let part = part_of(tile);
  for (var c = 0u; c < COLS; c++) {
    let column = (tile * S + lane) * COLS + c;
    let added = bias_of(column);
    for (var r = 0u; r < min(2u * S, params.rows - row); r++) {
      finish(part, row + r, column, finished[r * COLS + c] + added);
    }
  }
}
