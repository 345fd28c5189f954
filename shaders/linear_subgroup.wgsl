// uses: weights, activations, linear_finish
// y = activation(x · weightᵀ + bias) * scale, then + other or * other, for adapters that compute on a processor.
// x: T [rows, inner]   weight: packed, see below   bias: f32 [columns]   other: T, y: Y [rows, columns]   sums in f32
//
// The workgroup is one subgroup of S lanes; it makes ROWS rows of S * COLS columns, COLS to a lane. There is no
// workgroup memory and no barrier, which cost a switch of coroutines there: each lane loads one k of each row, and a
// shuffle hands it round. Weights lie in the order in which they are read: [column tile][k / 2][COLS][S] pairs along k.
struct Params { rows: u32, inner: u32, columns: u32, activation: u32, has_bias: u32, combine: u32, scale: f32 }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<T>;
@group(0) @binding(2) var<storage, read> weight: array<Weights2>;
@group(0) @binding(3) var<storage, read> bias: array<f32>;
@group(0) @binding(4) var<storage, read> other: array<T>;
@group(0) @binding(5) var<storage, read_write> y: array<Y>;

@compute @workgroup_size(S)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_id) local: vec3u) {
  let lane = local.x;
  let row = group.y * ROWS;
  let steps = (params.inner + S - 1u) / S;

  var from_row: array<u32, ROWS>;
  for (var r = 0u; r < ROWS; r++) { from_row[r] = min(row + r, params.rows - 1u) * params.inner; }

  var sum: array<array<f32, COLS>, ROWS>;
  var next = group.x * steps * (S * S * COLS / 2u) + lane;
  for (var step = 0u; step < steps; step++) {
    // Past the end of a row the weights are zero; the clamp keeps the read inside the row.
    let k = min(step * S + lane, params.inner - 1u);
    var a: array<f32, ROWS>;
    for (var r = 0u; r < ROWS; r++) { a[r] = f32(x[from_row[r] + k]); }
    for (var u = 0u; u < S; u += 2u) {
      for (var c = 0u; c < COLS; c++) {
        let w = unpack2(weight[next]);
        next += S;
        for (var r = 0u; r < ROWS; r++) {
          sum[r][c] = fma(subgroupShuffle(a[r], u), w.x, sum[r][c]);
          sum[r][c] = fma(subgroupShuffle(a[r], u + 1u), w.y, sum[r][c]);
        }
      }
    }
  }

  for (var r = 0u; r < ROWS; r++) {
    for (var c = 0u; c < COLS; c++) { finish(row + r, (group.x * COLS + c) * S + lane, sum[r][c]); }
  }
}
