// needs: T
// Queries, keys, values and results of attention where heads are whole quads of columns; zeros beyond a head.
@group(0) @binding(1) var<storage, read> q: array<vec4<T>>;
@group(0) @binding(2) var<storage, read> k: array<vec4<T>>;
@group(0) @binding(3) var<storage, read> v: array<vec4<T>>;
@group(0) @binding(5) var<storage, read_write> y: array<vec4<T>>;

fn load_q(row: u32, head: u32, quad: u32) -> vec4f {
  let quads = params.head_dim / 4u;
  let at = (row * params.heads + head) * quads + min(quad, quads - 1u);
  return select(vec4f(), vec4f(q[at]), quad < quads);
}
fn load_k(row: u32, head: u32, quad: u32) -> vec4f {
  let quads = params.head_dim / 4u;
  let at = (row * (params.heads / params.group) + head) * quads + min(quad, quads - 1u);
  return select(vec4f(), vec4f(k[at]), quad < quads);
}
fn load_v(row: u32, head: u32, quad: u32) -> vec4f {
  let quads = params.head_dim / 4u;
  let at = (row * (params.heads / params.group) + head) * quads + min(quad, quads - 1u);
  return select(vec4f(), vec4f(v[at]), quad < quads);
}
fn store_y(row: u32, head: u32, quad: u32, numbers: vec4f) {
  let quads = params.head_dim / 4u;
  if (quad < quads) { y[(row * params.heads + head) * quads + quad] = vec4<T>(numbers); }
}
