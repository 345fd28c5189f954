// needs: T
// y[i] = x[rows[i]]      x: T [*, width]   rows: u32 [n]   y: T [n, width]
struct Params { width: u32 }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<T>;
@group(0) @binding(2) var<storage, read> rows: array<u32>;
@group(0) @binding(3) var<storage, read_write> y: array<T>;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u) {
  if (id.x >= params.width) { return; }
  y[id.y * params.width + id.x] = x[rows[id.y] * params.width + id.x];
}
