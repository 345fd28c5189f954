// uses: reduce
// needs: T, LANES
// y[p] = other[p] + scale * the cosine of the rows pairs[p] of x.
// x: T [rows, width]   pairs: u32 [pairs, 2]   other, y: f32 [pairs]   sums in f32; LANES invocations share a pair.
struct Params { width: u32, scale: f32 }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<T>;
@group(0) @binding(2) var<storage, read> pairs: array<u32>;
@group(0) @binding(3) var<storage, read> other: array<f32>;
@group(0) @binding(4) var<storage, read_write> y: array<f32>;

@compute @workgroup_size(LANES)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_id) local: vec3u) {
  let lane = local.x;
  let first = pairs[2u * group.x] * params.width;
  let second = pairs[2u * group.x + 1u] * params.width;
  var product = 0.0;
  var squares = vec2f();
  for (var i = lane; i < params.width; i += LANES) {
    let a = f32(x[first + i]);
    let b = f32(x[second + i]);
    product = fma(a, b, product);
    squares = fma(vec2f(a, b), vec2f(a, b), squares);
  }
  let dot = reduce_sum(product, lane);
  let norms = sqrt(reduce_sum(squares.x, lane)) * sqrt(reduce_sum(squares.y, lane));
  // The norms of torch.nn.functional.normalize are at least 1e-12.
  if (lane == 0u) { y[group.x] = other[group.x] + params.scale * dot / max(norms, 1e-24); }
}
