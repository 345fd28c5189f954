// What the linear kernels for processors share. The workgroup is one subgroup of S lanes, so no barrier is needed; it makes
// 2 * S rows, low and high, of S * COLS columns, COLS neighbours to a lane. A load costs much more than arithmetic there,
// so each is of 16 bytes: of x four neighbours along k of the lane's own row in each half, which shuffles hand round once
// for all columns, and of the weight four neighbours along k of COLUMNS_A_LOAD of the lane's columns.
const LOADS = COLS / COLUMNS_A_LOAD;
const QUADS = COLS / 4u;

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

// The finished sums, [row][four columns][lane]: what is done with them must be a loop. Unrolled, it is most of the shader.
var<workgroup> finished: array<vec4f, 2u * S * QUADS * S>;

fn keep(row: u32, lane: u32, sums: ptr<function, Sums>) {
  for (var r = 0u; r < S; r++) {
    for (var q = 0u; q < QUADS; q++) {
      let c = 4u * q;
      finished[((row + r) * QUADS + q) * S + lane] = vec4f((*sums)[r][c], (*sums)[r][c + 1u], (*sums)[r][c + 2u], (*sums)[r][c + 3u]);
    }
  }
}

fn finish_tile(row: u32, tile: u32, lane: u32, low: ptr<function, Sums>, high: ptr<function, Sums>) {
  keep(0u, lane, low);
  keep(S, lane, high);
  let part = part_of(tile);
  for (var c = 0u; c < COLS; c++) {
    let column = (tile * S + lane) * COLS + c;
    let added = bias_of(column);
    for (var r = 0u; r < min(2u * S, params.rows - row); r++) {
      finish(part, row + r, column, finished[(r * QUADS + c / 4u) * S + lane][c % 4u] + added);
    }
  }
}
