// uses: linear_bindings, weights, activations, linear_finish, subgroup_tile
// needs: T, S
// y = activation(x · weightᵀ + bias) * scale, then + other or * other, for adapters that compute on a processor.
// x: T [rows, inner], inner a multiple of 4   weight: see below   bias: f32 [columns]   other: T, y: Y [rows, columns]   sums in f32
//
// Weights lie in the order in which they are read: [column tile][k / 4][columns] of four along k.
alias Numbers = vec4<T>; // of x, as they are read
alias Words = vec4u; // of weight, as they are read

@compute @workgroup_size(S)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_id) local: vec3u) {
  let lane = local.x;
  let row = group.y * 2u * S;
  let quads = params.inner / 4u;
  let low_row = min(row + lane, params.rows - 1u) * quads;
  let high_row = min(row + S + lane, params.rows - 1u) * quads;

  var low: Sums;
  var high: Sums;
  var next = ((params.first_tile + group.x) * quads * S + lane) * LOADS;
  for (var quad = 0u; quad < quads; quad++) {
    var w: Weights;
    for (var load = 0u; load < LOADS; load++) {
      let words = weight[next + load];
      for (var i = 0u; i < COLUMNS_A_LOAD; i++) { w[load * COLUMNS_A_LOAD + i] = unpack_column(words, i); }
    }
    next += S * LOADS;
    add_products(&low, vec4f(x[low_row + quad]), &w);
    add_products(&high, vec4f(x[high_row + quad]), &w);
  }
  finish_tile(row, group.x, lane, &low, &high);
}
