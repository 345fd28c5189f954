// uses: rows
// needs: T
// y = rows * scale: embedding rows as they are stored, gathered on the host, as activations.
// rows: as rows_float.wgsl or rows_grouped.wgsl has them   y: T [tokens, width]   pairs = width / 2, rounded up
struct Params { width: u32, pairs: u32, scale: f32 }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> rows: array<Words>;
@group(0) @binding(2) var<storage, read_write> y: array<T>;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u) {
  if (id.x >= params.pairs) { return; }
  let pair = row_pair(id.y, id.x) * params.scale;
  let at = id.y * params.width + 2u * id.x;
  y[at] = T(pair.x);
  if (2u * id.x + 1u < params.width) { y[at + 1u] = T(pair.y); }
}
