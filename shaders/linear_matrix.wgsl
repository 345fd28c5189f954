// uses: linear_bindings, weights, activations, linear_finish
// needs: M, N, K, S, SIZED, DOWN, ROWS, COLS, DEPTH, X_LOADS, W_LOADS, WIDTH
// y = activation(x · weightᵀ + bias) * scale, then + other or * other, by subgroup matrices: products of M x K by K x N
// numbers in f16, sums in f32. A workgroup of DOWN x 2 subgroups of S makes DOWN * ROWS * M rows of 2 * COLS * N = WIDTH columns.
// x: T = f16 [rows, inner], inner a multiple of 32   weight: [column tile][inner / 32][WIDTH columns] of 32 along k
// bias: f32 [columns]   other: T, y: Y [rows, columns]   sums in f32, k in order
alias Numbers = vec4u; // of x, as they are read: 8 in f16

const LINES = DOWN * S / 2u; // of either operand, of which the workgroup brings 32 numbers at a time
const LINE = 40u; // numbers from one row to the next in workgroup memory: 32 along k, and 8 so that rows lie in different banks
var<workgroup> a: array<f16, DOWN * ROWS * M * LINE>; // [row][k]
var<workgroup> b: array<f16, WIDTH * LINE>; // [column][k]
var<workgroup> finished: array<f32, 2u * DOWN * M * N>; // one matrix of sums of each subgroup

// An index is left unclamped by the compiler if it sees the bound: of a subgroup's number only by the remainder, and not
// through a function's parameters.
@compute @workgroup_size(2u * DOWN * S)
//# s < SIZED
@subgroup_size(S)
@diagnostic(off, chromium.subgroup_matrix_uniformity)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) index: u32,
        @builtin(subgroup_id) subgroup: u32, @builtin(subgroup_invocation_id) lane: u32) {
  let part = part_of(group.x);
  let first_row = group.y * DOWN * ROWS * M;
  let tile = params.first_tile + group.x;
  let own_row = ((subgroup / 2u) % DOWN) * ROWS * M;
  let own_column = (subgroup % 2u) * COLS * N;
  // Each invocation brings chunks of 8 along k of lines LINES apart.
  let line = index / 4u;
  let chunk = index % 4u;
  let steps = params.inner / 32u;

  //# i < X_LOADS {
  let row_$i = min(first_row + line + $iu * LINES, params.rows - 1u) * 4u * steps + chunk;
  var x_$i = x[row_$i];
  //# }
  //# i < W_LOADS
  var w_$i = load_chunk(tile * steps, line, $iu * LINES, chunk);
  //# r < ROWS, c < COLS
  var sum_$r_$c = subgroup_matrix_result<f32, N, M>(0.0);
  for (var step = 0u; step < steps; step++) {
    //# i < X_LOADS {
    {
      let at = line * LINE + 8u * chunk + $iu * LINES * LINE;
      let low = bitcast<vec4<f16>>(x_$i.xy);
      let high = bitcast<vec4<f16>>(x_$i.zw);
      //# j < 4
      a[at + $ju] = low[$j];
      //# j < 4
      a[at + 4u + $ju] = high[$j];
    }
    //# }
    //# i < W_LOADS {
    {
      let at = line * LINE + 8u * chunk + $iu * LINES * LINE;
      let numbers = unpack_chunk(w_$i);
      //# j < 4
      b[at + $ju] = numbers.low[$j];
      //# j < 4
      b[at + 4u + $ju] = numbers.high[$j];
    }
    //# }
    workgroupBarrier();
    // The next numbers are on their way during the products.
    let next = min(step + 1u, steps - 1u);
    //# i < X_LOADS
    x_$i = x[row_$i + 4u * next];
    //# i < W_LOADS
    w_$i = load_chunk(tile * steps + next, line, $iu * LINES, chunk);
    //# k < DEPTH {
    {
      //# r < ROWS
      let left_$r = subgroupMatrixLoad<subgroup_matrix_left<f16, K, M>, row_major>(&a, (own_row + $ru * M) * LINE + $ku * K, LINE);
      //# c < COLS {
      let right_$c = subgroupMatrixLoad<subgroup_matrix_right<f16, N, K>, col_major>(&b, (own_column + $cu * N) * LINE + $ku * K, LINE);
      //# r < ROWS
      sum_$r_$c = subgroupMatrixMultiplyAccumulate(left_$r, right_$c, sum_$r_$c);
      //# }
    }
    //# }
    workgroupBarrier();
  }

  let own = (subgroup % (2u * DOWN)) * M * N;
  for (var matrix = 0u; matrix < ROWS * COLS; matrix++) {
    switch matrix {
      //# r < ROWS, c < COLS
      case $ru * COLS + $cu: { subgroupMatrixStore<row_major>(&finished, own, sum_$r_$c, N); }
      default: {}
    }
    workgroupBarrier();
    let row = first_row + own_row + matrix / COLS * M;
    let column = group.x * WIDTH + own_column + matrix % COLS * N;
    for (var i = lane; i < M * N; i += S) {
      finish(part, row + i / N, column + i % N, finished[own + i] + bias_of(column + i % N));
    }
    workgroupBarrier();
  }
}
