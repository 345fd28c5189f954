// uses: weights, activations, linear_finish
// y = activation(x · weightᵀ + bias) * scale, then + other or * other, for adapters that compute on a processor.
// x: T [rows, inner], read four at a time: inner is a multiple of 4   weight: packed, see below   bias: f32 [columns]
// other: T, y: Y [rows, columns]   sums in f32
//
// The workgroup is one subgroup of S lanes; it makes 2 * S rows, low and high, of S * COLS columns, COLS to a lane. A load
// costs much more than arithmetic there, so a lane loads four numbers of its own row in each half, which shuffles hand
// round, once for all columns, and eight weights at a time. These lie in the order in which they are read:
// [column tile][k / 8][COLS][S] of eight along k. No barrier: each lane reads what it wrote itself.
struct Params { rows: u32, inner: u32, columns: u32, activation: u32, has_bias: u32, combine: u32, scale: f32 }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<vec4<T>>;
@group(0) @binding(2) var<storage, read> weight: array<Weights8>;
@group(0) @binding(3) var<storage, read> bias: array<f32>;
@group(0) @binding(4) var<storage, read> other: array<T>;
@group(0) @binding(5) var<storage, read_write> y: array<Y>;

alias Sums = array<array<f32, COLS>, S>;
alias Weights = array<array<f32, COLS>, 8>;

// The finished sums, [row][column][lane]: what is done with them must be a loop. Unrolled, it is most of the shader.
var<workgroup> finished: array<f32, 2u * S * COLS * S>;

@compute @workgroup_size(S)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_id) local: vec3u) {
  let lane = local.x;
  let row = group.y * 2u * S;
  let quads = params.inner / 4u;
  let steps = (quads + 1u) / 2u;
  let low_row = min(row + lane, params.rows - 1u) * quads;
  let high_row = min(row + S + lane, params.rows - 1u) * quads;

  var low: Sums;
  var high: Sums;
  var next = group.x * steps * (COLS * S) + lane;
  for (var step = 0u; step < steps; step++) {
    var w: Weights;
    for (var c = 0u; c < COLS; c++) {
      let packed = weight[next];
      next += S;
      let pairs = array<vec2f, 4>(unpack_pair(packed, 0u), unpack_pair(packed, 1u), unpack_pair(packed, 2u), unpack_pair(packed, 3u));
      w[0][c] = pairs[0].x; w[1][c] = pairs[0].y;
      w[2][c] = pairs[1].x; w[3][c] = pairs[1].y;
      w[4][c] = pairs[2].x; w[5][c] = pairs[2].y;
      w[6][c] = pairs[3].x; w[7][c] = pairs[3].y;
    }
    // Past the end of a row the weights are zero; the clamp keeps the read inside the row.
    let first = 2u * step;
    let second = min(first + 1u, quads - 1u);
    add_products(&low, vec4f(x[low_row + first]), vec4f(x[low_row + second]), &w);
    add_products(&high, vec4f(x[high_row + first]), vec4f(x[high_row + second]), &w);
  }

  for (var r = 0u; r < S; r++) {
    for (var c = 0u; c < COLS; c++) { finished[(r * COLS + c) * S + lane] = low[r][c]; }
  }
  for (var r = 0u; r < S; r++) {
    for (var c = 0u; c < COLS; c++) { finished[((S + r) * COLS + c) * S + lane] = high[r][c]; }
  }
  for (var c = 0u; c < COLS; c++) {
    let column = (group.x * COLS + c) * S + lane;
    let added = bias_of(column);
    for (var r = 0u; r < min(2u * S, params.rows - row); r++) {
      finish(row + r, column, finished[(r * COLS + c) * S + lane] + added);
    }
  }
}

// Adds the products of eight numbers of each lane's row with the weights.
fn add_products(sums: ptr<function, Sums>, first: vec4f, second: vec4f, w: ptr<function, Weights>) {
  let numbers = array<f32, 8>(first.x, first.y, first.z, first.w, second.x, second.y, second.z, second.w);
  for (var r = 0u; r < S; r++) {
    for (var k = 0u; k < 8u; k++) {
      let number = subgroupShuffle(numbers[k], r);
      for (var c = 0u; c < COLS; c++) { (*sums)[r][c] = fma(number, (*w)[k][c], (*sums)[r][c]); }
    }
  }
}
