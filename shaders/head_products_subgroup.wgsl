// uses: add_lane
// needs: T, S
// y[t][h][r] = x[t][h] · table[first + r][h] * scale: products head by head, for adapters that compute on a processor.
// x: T [rows, heads * head_dim]   table: T [*, heads * head_dim], of which `count` rows from `first` on count; head_dim a multiple of 4
// y: T [rows, heads, count filled up to fours]   sums in f32, along head_dim in order
//
// As the scores of attention_subgroup: the workgroup is one subgroup of S lanes with 2 * S rows of x, low and high, and 4 * S of
// the table. A lane has one row of x in each half, and four neighbours of the table.
struct Params { rows: u32, heads: u32, head_dim: u32, first: u32, count: u32, scale: f32 }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<vec4<T>>;
@group(0) @binding(2) var<storage, read> table: array<vec4<T>>;
@group(0) @binding(3) var<storage, read_write> y: array<vec4<T>>;

@compute @workgroup_size(S)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_id) local: vec3u) {
  let lane = local.x;
  let quad = group.x * S + lane; // of the table's rows
  let row = group.y * 2u * S;
  let quads = params.head_dim / 4u;
  let width = params.heads * quads;
  let head = group.z * quads;
  let low_row = min(row + lane, params.rows - 1u) * width + head;
  let high_row = min(row + S + lane, params.rows - 1u) * width + head;
  var at: array<u32, 4>;
  for (var t = 0u; t < 4u; t++) { at[t] = (params.first + min(4u * quad + t, params.count - 1u)) * width + head; }

  var low: array<vec4f, S>;
  var high: array<vec4f, S>;
  for (var d = 0u; d < quads; d++) {
    let terms = transpose(mat4x4f(vec4f(table[at[0] + d]), vec4f(table[at[1] + d]), vec4f(table[at[2] + d]), vec4f(table[at[3] + d])));
    let numbers = vec4f(x[low_row + d]);
    for (var r = 0u; r < S; r++) { low[r] = add_lane(low[r], numbers, r, terms); }
    let more = vec4f(x[high_row + d]);
    for (var r = 0u; r < S; r++) { high[r] = add_lane(high[r], more, r, terms); }
  }

  // A copy: arrays that a loop reads lie in memory all the time.
  var sums: array<vec4f, 2u * S>;
  for (var r = 0u; r < S; r++) { sums[r] = low[r]; }
  for (var r = 0u; r < S; r++) { sums[S + r] = high[r]; }
  let stride = (params.count + 3u) / 4u;
  if (quad >= stride) { return; }
  for (var r = 0u; r < min(2u * S, params.rows - row); r++) {
    y[((row + r) * params.heads + group.z) * stride + quad] = vec4<T>(sums[r] * params.scale);
  }
}
