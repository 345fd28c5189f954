// uses: linear_bindings, weights, load_weight, activations, linear_finish
// needs: T, TILE
// y = activation(x · weightᵀ + bias) * scale, then + other or * other, for GPUs: tiles in workgroup memory, EACH x EACH sums in registers.
// x: T [rows, inner]   weight: [columns, quads] of four neighbours along k, quads = inner / 4 rounded up, zero-filled; or in groups
// bias: f32 [columns]   other: T, y: Y [rows, columns]   sums in f32, k in order
alias Numbers = T; // of x, as they are read
alias Words = Weights4; // of weight, as they are read

// TILE: rows and columns of a workgroup, 16 times 4 or 8
const EACH = TILE / 16u;
const QUADS = 256u / TILE; // along k at a time: as many as give each of the 256 invocations one of a row and one of a column
const LINE = TILE + 1u; // odd, so that neighbours along k lie in different banks
var<workgroup> a: array<f32, LINE * 4u * QUADS>; // [k][row]
var<workgroup> b: array<f32, LINE * 4u * QUADS>; // [k][column]

@compute @workgroup_size(16, 16)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_id) local: vec3u,
        @builtin(local_invocation_index) index: u32) {
  let part = part_of(group.x);
  let first_row = group.y * TILE;
  let first_column = group.x * TILE;
  // Each invocation loads four neighbours along k of one row and of one column.
  let line = index / QUADS;
  let quad = index % QUADS;

  var sum: array<array<vec4f, EACH / 4u>, EACH>;
  for (var k = 0u; k < params.inner; k += 4u * QUADS) {
    let left = load_x(first_row + line, k + 4u * quad);
    let right = load_weight(params.first_tile * TILE + first_column + line, k / 4u + quad);
    for (var i = 0u; i < 4u; i++) {
      a[(4u * quad + i) * LINE + line] = left[i];
      b[(4u * quad + i) * LINE + line] = right[i];
    }
    workgroupBarrier();
    // The rows and columns of an invocation lie 16 apart: neighbours read and write neighbours.
    for (var d = 0u; d < 4u * QUADS; d++) {
      let at_a = d * LINE + local.y;
      let at_b = d * LINE + local.x;
      var w: array<vec4f, EACH / 4u>;
      for (var c = 0u; c < EACH / 4u; c++) {
        let at = at_b + 64u * c;
        w[c] = vec4f(b[at], b[at + 16u], b[at + 32u], b[at + 48u]);
      }
      for (var r = 0u; r < EACH; r++) {
        for (var c = 0u; c < EACH / 4u; c++) { sum[r][c] = fma(vec4f(a[at_a + 16u * r]), w[c], sum[r][c]); }
      }
    }
    workgroupBarrier();
  }

  for (var c = 0u; c < EACH; c++) {
    let column = first_column + 16u * c + local.x;
    let added = bias_of(column);
    for (var r = 0u; r < EACH; r++) { finish(part, first_row + 16u * r + local.y, column, sum[r][c / 4u][c % 4u] + added); }
  }
}

fn load_x(row: u32, k: u32) -> vec4f {
  let start = min(row, params.rows - 1u) * params.inner;
  var values = vec4f();
  for (var i = 0u; i < 4u; i++) {
    if (k + i < params.inner) { values[i] = f32(x[start + k + i]); }
  }
  return values;
}
