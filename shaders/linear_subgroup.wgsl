// uses: weights, activations, linear_finish
// y = activation(x · weightᵀ + bias) * scale, then + other or * other, for adapters that compute on a processor.
// x: T [rows, inner]   weight: packed, see below   bias: f32 [columns]   other: T, y: Y [rows, columns]   sums in f32
//
// The workgroup is one subgroup of S lanes; it makes ROWS rows of S * COLS columns, COLS to a lane. There is no
// workgroup memory and no barrier, which cost a switch of coroutines there: each lane loads one k of each row, and a
// shuffle hands it round, once for all columns. A load costs much more than arithmetic there, so a lane takes eight
// weights at a time. They lie in the order in which they are read: [column tile][k / 8][COLS][S] of eight along k.
struct Params { rows: u32, inner: u32, columns: u32, activation: u32, has_bias: u32, combine: u32, scale: f32 }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<T>;
@group(0) @binding(2) var<storage, read> weight: array<Weights8>;
@group(0) @binding(3) var<storage, read> bias: array<f32>;
@group(0) @binding(4) var<storage, read> other: array<T>;
@group(0) @binding(5) var<storage, read_write> y: array<Y>;

const STEP = max(S, 8u); // of k at a time, of which a lane loads every S-th
const LOADS = STEP / S;

@compute @workgroup_size(S)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_id) local: vec3u) {
  let lane = local.x;
  let row = group.y * ROWS;
  let steps = (params.inner + STEP - 1u) / STEP;

  var from_row: array<u32, ROWS>;
  for (var r = 0u; r < ROWS; r++) { from_row[r] = min(row + r, params.rows - 1u) * params.inner; }

  var sum: array<array<f32, COLS>, ROWS>;
  var next = group.x * steps * (STEP / 8u * COLS * S) + lane;
  for (var step = 0u; step < steps; step++) {
    var a: array<array<f32, LOADS>, ROWS>;
    for (var load = 0u; load < LOADS; load++) {
      // Past the end of a row the weights are zero; the clamp keeps the read inside the row.
      let k = min(step * STEP + load * S + lane, params.inner - 1u);
      for (var r = 0u; r < ROWS; r++) { a[r][load] = f32(x[from_row[r] + k]); }
    }
    for (var u = 0u; u < STEP; u += 8u) {
      var packed: array<Weights8, COLS>;
      for (var c = 0u; c < COLS; c++) {
        packed[c] = weight[next];
        next += S;
      }
      for (var pair = 0u; pair < 4u; pair++) {
        var w: array<vec2f, COLS>;
        for (var c = 0u; c < COLS; c++) { w[c] = unpack_pair(packed[c], pair); }
        let k = u + 2u * pair;
        for (var r = 0u; r < ROWS; r++) {
          let first = subgroupShuffle(a[r][k / S], k % S);
          let second = subgroupShuffle(a[r][(k + 1u) / S], (k + 1u) % S);
          for (var c = 0u; c < COLS; c++) { sum[r][c] = fma(second, w[c].y, fma(first, w[c].x, sum[r][c])); }
        }
      }
    }
  }

  for (var c = 0u; c < COLS; c++) {
    let column = (group.x * COLS + c) * S + lane;
    let added = bias_of(column);
    for (var r = 0u; r < ROWS; r++) { finish(row + r, column, sum[r][c] + added); }
  }
}
