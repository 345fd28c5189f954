// needs: T
// Queries, keys, values and results of attention where heads are not whole quads of columns; zeros beyond a head.
@group(0) @binding(1) var<storage, read> q: array<T>;
@group(0) @binding(2) var<storage, read> k: array<T>;
@group(0) @binding(3) var<storage, read> v: array<T>;
@group(0) @binding(5) var<storage, read_write> y: array<T>;

// Where the four columns of a quad are, those beyond the head at its last.
fn places(head: u32, quad: u32) -> vec4u {
  return head * params.head_dim + min(4u * quad + vec4u(0u, 1u, 2u, 3u), vec4u(params.head_dim - 1u));
}
fn within(numbers: vec4f, quad: u32) -> vec4f {
  return select(vec4f(), numbers, 4u * quad + vec4u(0u, 1u, 2u, 3u) < vec4u(params.head_dim));
}
fn load_q(row: u32, head: u32, quad: u32) -> vec4f {
  let at = places(row * params.heads + head, quad);
  return within(vec4f(f32(q[at.x]), f32(q[at.y]), f32(q[at.z]), f32(q[at.w])), quad);
}
fn load_k(row: u32, head: u32, quad: u32) -> vec4f {
  let at = places(row * (params.heads / params.group) + head, quad);
  return within(vec4f(f32(k[at.x]), f32(k[at.y]), f32(k[at.z]), f32(k[at.w])), quad);
}
fn load_v(row: u32, head: u32, quad: u32) -> vec4f {
  let at = places(row * (params.heads / params.group) + head, quad);
  return within(vec4f(f32(v[at.x]), f32(v[at.y]), f32(v[at.z]), f32(v[at.w])), quad);
}
fn store_y(row: u32, head: u32, quad: u32, numbers: vec4f) {
  let at = (row * params.heads + head) * params.head_dim + 4u * quad;
  for (var i = 0u; i < 4u; i++) {
    if (4u * quad + i < params.head_dim) { y[at + i] = T(numbers[i]); }
  }
}
