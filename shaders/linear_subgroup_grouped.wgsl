// uses: linear_bindings, weights, activations, linear_finish, subgroup_tile
// needs: T, S, COLS, BITS, GROUP
// The linear layer of linear_subgroup.wgsl with weights in groups along k. Scale and offset are applied to the weights, one
// fma for 2 * S rows; to apply them to a group's sums would take a second set of sums.
// x: T [rows, inner], inner a multiple of 4   weight: see below   bias: f32 [columns]   other: T, y: Y [rows, columns]   sums in f32
//
// Words lie in the order in which they are read: [column tile][group][scale and offset, then numbers][columns].
alias Numbers = vec4<T>; // of x, as they are read
alias Words = vec4u; // of weight, as they are read

@compute @workgroup_size(S)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_id) local: vec3u) {
  let lane = local.x;
  let row = group.y * 2u * S;
  let quads = params.inner / 4u;
  let groups = (params.inner + GROUP - 1u) / GROUP;
  let low_row = min(row + lane, params.rows - 1u) * quads;
  let high_row = min(row + S + lane, params.rows - 1u) * quads;

  var low: Sums;
  var high: Sums;
  var next = ((params.first_tile + group.x) * groups * (1u + BITS) * S + lane) * LOADS;
  for (var first = 0u; first < quads; first += GROUP / 4u) {
    var scale: array<vec2f, COLS>;
    for (var load = 0u; load < LOADS; load++) {
      let words = weight[next + load];
      for (var i = 0u; i < COLUMNS_A_LOAD; i++) { scale[load * COLUMNS_A_LOAD + i] = unpack_scale(words[i]); }
    }
    for (var quad = first; quad < min(first + GROUP / 4u, quads); quad++) {
      let k = 4u * (quad - first);
      var w: Weights;
      for (var load = 0u; load < LOADS; load++) {
        let words = weight[next + (1u + k / WORD) * S * LOADS + load];
        for (var i = 0u; i < COLUMNS_A_LOAD; i++) {
          let c = load * COLUMNS_A_LOAD + i;
          w[c] = unpack4(words[i], k % WORD / 4u, scale[c]);
        }
      }
      add_products(&low, vec4f(x[low_row + quad]), &w);
      add_products(&high, vec4f(x[high_row + quad]), &w);
    }
    next += (1u + BITS) * S * LOADS;
  }
  finish_tile(row, group.x, lane, &low, &high);
}
