// needs: T
// y[t][h][r] = x[t][h] · table[first + r][h] * scale: products head by head, for GPUs: tiles in workgroup memory, 4 x 4 sums in registers.
// x: T [rows, heads * head_dim]   table: T [*, heads * head_dim], of which `count` rows from `first` on count
// y: T [rows, heads, count filled up to fours]   sums in f32, along head_dim in order
struct Params { rows: u32, heads: u32, head_dim: u32, first: u32, count: u32, scale: f32 }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<T>;
@group(0) @binding(2) var<storage, read> table: array<T>;
@group(0) @binding(3) var<storage, read_write> y: array<T>;

const TILE = 64u; // rows of x and of the table of a workgroup
const DEPTH = 16u; // along head_dim at a time
const LINE = TILE + 1u; // odd, so that neighbours lie in different banks
var<workgroup> a: array<f32, LINE * DEPTH>; // [d][row of x]
var<workgroup> b: array<f32, LINE * DEPTH>; // [d][row of the table]

@compute @workgroup_size(16, 16)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_id) local: vec3u,
        @builtin(local_invocation_index) index: u32) {
  let width = params.heads * params.head_dim;
  let head = group.z * params.head_dim;
  let line = index / 4u;
  let left = min(group.y * TILE + line, params.rows - 1u) * width + head;
  let right = (params.first + min(group.x * TILE + line, params.count - 1u)) * width + head;

  var sum: array<vec4f, 4>;
  for (var k = 0u; k < params.head_dim; k += DEPTH) {
    for (var i = index % 4u; i < DEPTH; i += 4u) {
      let inside = k + i < params.head_dim;
      let d = min(k + i, params.head_dim - 1u);
      a[i * LINE + line] = select(0.0, f32(x[left + d]), inside);
      b[i * LINE + line] = select(0.0, f32(table[right + d]), inside);
    }
    workgroupBarrier();
    for (var d = 0u; d < DEPTH; d++) {
      let at_a = d * LINE + local.y;
      let at_b = d * LINE + local.x;
      let terms = vec4f(b[at_b], b[at_b + 16u], b[at_b + 32u], b[at_b + 48u]);
      for (var r = 0u; r < 4u; r++) { sum[r] = fma(vec4f(a[at_a + 16u * r]), terms, sum[r]); }
    }
    workgroupBarrier();
  }

  let stride = (params.count + 3u) / 4u * 4u;
  for (var r = 0u; r < 4u; r++) {
    let row = group.y * TILE + 16u * r + local.y;
    for (var c = 0u; c < 4u; c++) {
      let column = group.x * TILE + 16u * c + local.x;
      if (row >= params.rows || column >= params.count) { continue; }
      y[(row * params.heads + group.z) * stride + column] = T(sum[r][c] * params.scale);
    }
  }
}
