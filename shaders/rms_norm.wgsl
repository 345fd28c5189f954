// uses: reduce
// needs: T, LANES
// y = x / sqrt(mean(x²) + eps) * (weight + offset), the mean over a row (Zhang and Sennrich 2019); Gemma's offset is 1. With
// `add`, `other` is added to that.
// x, other, y: T [rows, heads * width]   weight: f32 [width]   sums in f32; LANES invocations share a head of a row.
struct Params { width: u32, eps: f32, offset: f32, add: u32 }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<T>;
@group(0) @binding(2) var<storage, read> weight: array<f32>;
@group(0) @binding(3) var<storage, read> other: array<T>;
@group(0) @binding(4) var<storage, read_write> y: array<T>;

@compute @workgroup_size(LANES)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_id) local: vec3u,
) {
  let lane = local.x;
  let start = (group.x * groups.y + group.y) * params.width;

  var squares = 0.0;
  for (var i = lane; i < params.width; i += LANES) {
    let value = f32(x[start + i]);
    squares = fma(value, value, squares);
  }
  let scale = 1.0 / sqrt(reduce_sum(squares, lane) / f32(params.width) + params.eps);

  for (var i = lane; i < params.width && params.add == 0u; i += LANES) {
    y[start + i] = T(f32(x[start + i]) * scale * (weight[i] + params.offset));
  }
  for (var i = lane; i < params.width && params.add != 0u; i += LANES) {
    y[start + i] = T(f32(x[start + i]) * scale * (weight[i] + params.offset) + f32(other[start + i]));
  }
}
