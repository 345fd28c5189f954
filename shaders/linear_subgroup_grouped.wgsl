// uses: weights, activations, linear_finish
// The linear layer of linear_subgroup.wgsl with weights in groups along k: a word of numbers is unpacked once for all rows.
// Scale and offset are applied to the weights, one fma for ROWS of sums; to apply them to a group's sums would take
// a second set of sums, more than there are registers for.
// x: T [rows, inner]   weight: packed, see below   bias: f32 [columns]   other: T, y: Y [rows, columns]   sums in f32
//
// Words lie in the order in which they are read: [column tile][group][scale and offset, then numbers][COLS][S].
struct Params { rows: u32, inner: u32, columns: u32, activation: u32, has_bias: u32, combine: u32, scale: f32 }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<T>;
@group(0) @binding(2) var<storage, read> weight: array<u32>;
@group(0) @binding(3) var<storage, read> bias: array<f32>;
@group(0) @binding(4) var<storage, read> other: array<T>;
@group(0) @binding(5) var<storage, read_write> y: array<Y>;

const STEP = max(S, WORD); // of k at a time: whole words, of which a lane loads every S-th k
const LOADS = STEP / S;

@compute @workgroup_size(S)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_id) local: vec3u) {
  let lane = local.x;
  let row = group.y * ROWS;
  let groups = (params.inner + GROUP - 1u) / GROUP;

  var from_row: array<u32, ROWS>;
  for (var r = 0u; r < ROWS; r++) { from_row[r] = min(row + r, params.rows - 1u) * params.inner; }

  var sum: array<array<f32, COLS>, ROWS>;
  var next = group.x * groups * ((1u + BITS) * COLS * S) + lane;
  for (var first = 0u; first < params.inner; first += GROUP) {
    var scale: array<vec2f, COLS>;
    for (var c = 0u; c < COLS; c++) {
      scale[c] = unpack_scale(weight[next]);
      next += S;
    }
    for (var step = first; step < first + GROUP; step += STEP) {
      var a: array<array<f32, LOADS>, ROWS>;
      for (var load = 0u; load < LOADS; load++) {
        // Past the end of a row the numbers stand for the offset, so x must be zero; the clamp keeps the read inside the row.
        let k = step + load * S + lane;
        let at = min(k, params.inner - 1u);
        for (var r = 0u; r < ROWS; r++) { a[r][load] = select(0.0, f32(x[from_row[r] + at]), k < params.inner); }
      }
      for (var u = 0u; u < STEP; u += WORD) {
        for (var c = 0u; c < COLS; c++) {
          let word = weight[next];
          next += S;
          for (var quad = 0u; quad < WORD / 4u; quad++) {
            let w = unpack4(word, quad, scale[c]);
            for (var i = 0u; i < 4u; i++) {
              let k = u + 4u * quad + i;
              for (var r = 0u; r < ROWS; r++) {
                sum[r][c] = fma(subgroupShuffle(a[r][k / S], k % S), w[i], sum[r][c]);
              }
            }
          }
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
