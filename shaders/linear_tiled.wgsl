// uses: linear_bindings, weights, load_weight, load_x, activations, linear_finish
// needs: LINES, ROWS, COLS, WEIGHT_LOADS, AHEAD, WRITTEN, LOOPED, WIDTH, ACTIVATION, Y
// y = activation(x · weightᵀ + bias) * scale, then + other or * other, for GPUs: tiles in workgroup memory, ROWS x COLS sums in registers.
// x: T [rows, inner]   weight: [columns, quads] of four neighbours along k, quads = inner / 4 rounded up, zero-filled; or in groups
// bias: f32 [columns]   other: T, y: Y [rows, columns]   sums in f32
//
// Each sum is one invocation's, by one fma after another in the order of k: tiles of every size give the same bits.
// ACTIVATION is that of the layer, which is in params too, where the arithmetic is written out.

// A workgroup of LINES times 16 invocations makes LINES * ROWS rows and 16 * COLS columns. An invocation's rows lie LINES
// apart and its columns 16, so that neighbours read and write neighbours.
// Of both operands, 4 quads along k are in workgroup memory at a time; a fifth place keeps neighbouring lines in different banks.
const LINE = 5u;
var<workgroup> a: array<vec4f, LINES * ROWS * LINE>; // [row][quad]
var<workgroup> b: array<vec4f, 16u * COLS * LINE>; // [column][quad]

@compute @workgroup_size(16, LINES)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_id) local: vec3u,
        @builtin(local_invocation_index) index: u32) {
  let part = part_at(group.x, 16u * COLS);
  let first_row = group.y * LINES * ROWS;
  let last_column = part.start + part.columns - 1u;
  let quads = (params.inner + 3u) / 4u;

  // Each invocation loads one quad along k of ROWS / 4 rows and of WEIGHT_LOADS columns: 4 * LINES of them at a time.
  let quad = index % 4u;
  let line = index / 4u;
  //# i < ROWS / 4
  let x_$i = x_line(min(first_row + line + $iu * 4u * LINES, params.rows - 1u));
  //# i < WEIGHT_LOADS
  let weight_$i = weight_line(params.first_tile * WIDTH + min(part.first + line + $iu * 4u * LINES, last_column));

  //# r < ROWS, c < COLS
  var sum_$r_$c = 0.0;
  // Where registers suffice (AHEAD), the loads of the next tile are under way during the arithmetic of this one, which is
  // written out. Elsewhere (LOOPED) each tile is loaded when it is needed, and the arithmetic is a loop; compilers for
  // processors then take a third of the time.
  let start = min(quad, quads - 1u);
  //# i < ROWS / 4
  var next_x_$i = fetch_x(x_$i, start);
  //# i < WEIGHT_LOADS
  var next_weight_$i = fetch_weight(weight_$i, start);
  for (var k = 0u; k < quads; k += 4u) {
    //# l < LOOPED {
    let now = min(k + quad, quads - 1u);
    //# i < ROWS / 4
    next_x_$i = fetch_x(x_$i, now);
    //# i < WEIGHT_LOADS
    next_weight_$i = fetch_weight(weight_$i, now);
    //# }
    //# i < ROWS / 4
    a[(line + $iu * 4u * LINES) * LINE + quad] = x_within(next_x_$i, k + quad);
    //# i < WEIGHT_LOADS
    b[(line + $iu * 4u * LINES) * LINE + quad] = unpack_weight(next_weight_$i, quad);
    workgroupBarrier();
    //# l < AHEAD {
    let next = min(k + 4u + quad, quads - 1u);
    //# i < ROWS / 4
    next_x_$i = fetch_x(x_$i, next);
    //# i < WEIGHT_LOADS
    next_weight_$i = fetch_weight(weight_$i, next);
    //# }
    const at = 0u;
    //# q < WRITTEN {
    //# l < LOOPED
    for (var at = k; at < min(k + 4u, quads); at++)
    {
      //# c < COLS
      let w_$c = b[(local.x + 16u * $cu) * LINE + $qu + at % 4u];
      //# r < ROWS {
      let v_$r = a[(local.y + LINES * $ru) * LINE + $qu + at % 4u];
      //# c < COLS
      sum_$r_$c = fma(v_$r.w, w_$c.w, fma(v_$r.z, w_$c.z, fma(v_$r.y, w_$c.y, fma(v_$r.x, w_$c.x, sum_$r_$c))));
      //# }
    }
    //# }
    workgroupBarrier();
  }

  //# l < LOOPED {
  //# c < COLS
  let column_$c = part.first + local.x + 16u * $cu;
  //# c < COLS
  let bias_$c = bias_of(min(column_$c, last_column));
  // A loop, because what may be done with a sum is much code, which compilers must not write out for each. It picks sums by
  // their names: an array that it indexes would lie in memory.
  let rows = min(ROWS, filled(max(params.rows, first_row + local.y) - first_row - local.y, LINES));
  for (var r = 0u; r < rows; r++) {
    //# c < COLS
    var own_$c = 0.0;
    switch r {
      //# r < ROWS {
      case $ru: {
        //# c < COLS
        own_$c = sum_$r_$c;
      }
      //# }
      default: {}
    }
    //# c < COLS
    finish(part, first_row + r * LINES + local.y, column_$c, own_$c + bias_$c);
  }
  //# }
  // The same written out, with the code of the layer's activation alone.
  //# l < AHEAD {
  // What is beyond the layer's columns is read of its last one, and not written.
  let own = part.first + local.x - part.start;
  let columns = max(part.columns, own) - own;
  //# c < COLS {
  let is_own_$c = 16u * $cu < columns;
  let near_$c = min(own + 16u * $cu, part.columns - 1u) - own;
  let bias_$c = bias_of(part.start + own + near_$c);
  //# }
  var row = first_row + local.y;
  var at = part.y + row * part.columns + own;
  //# r < ROWS {
  if (row < params.rows) {
    //# c < COLS {
    let value_$c = activate(sum_$r_$c + bias_$c, ACTIVATION);
    var finished_$c = value_$c * params.scale;
    //# }
    if (params.combine == 1u) {
      //# c < COLS
      finished_$c = fma(value_$c, params.scale, f32(other[at + near_$c]));
    }
    if (params.combine == 2u) {
      //# c < COLS
      finished_$c *= f32(other[at + near_$c]);
    }
    //# c < COLS
    if (is_own_$c) { y[at + 16u * $cu] = Y(finished_$c); }
  }
  row += LINES;
  at += LINES * part.columns;
  //# }
  //# }
}
