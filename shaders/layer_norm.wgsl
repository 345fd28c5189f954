// uses: reduce
// needs: T, LANES
// y = (x - mean) / sqrt(var + eps) * weight + bias, mean and variance over a row (Ba et al. 2016). With `add`, `other` is added
// to that.
// x, other, y: T [rows, width]   weight, bias: f32 [width]   sums in f32; LANES invocations share a row.
struct Params { width: u32, eps: f32, has_bias: u32, add: u32 }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<T>;
@group(0) @binding(2) var<storage, read> weight: array<f32>;
@group(0) @binding(3) var<storage, read> bias: array<f32>;
@group(0) @binding(4) var<storage, read> other: array<T>;
@group(0) @binding(5) var<storage, read_write> y: array<T>;

@compute @workgroup_size(LANES)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_id) local: vec3u) {
  let lane = local.x;
  let start = group.x * params.width;
  let width = f32(params.width);

  var sum = 0.0;
  for (var i = lane; i < params.width; i += LANES) { sum += f32(x[start + i]); }
  let mean = reduce_sum(sum, lane) / width;

  var squares = 0.0;
  for (var i = lane; i < params.width; i += LANES) {
    let d = f32(x[start + i]) - mean;
    squares = fma(d, d, squares);
  }
  let scale = 1.0 / sqrt(reduce_sum(squares, lane) / width + params.eps);

  for (var i = lane; i < params.width && params.add == 0u; i += LANES) {
    let shift = select(0.0, bias[i], params.has_bias != 0u);
    y[start + i] = T((f32(x[start + i]) - mean) * scale * weight[i] + shift);
  }
  for (var i = lane; i < params.width && params.add != 0u; i += LANES) {
    let shift = select(0.0, bias[i], params.has_bias != 0u);
    y[start + i] = T((f32(x[start + i]) - mean) * scale * weight[i] + shift + f32(other[start + i]));
  }
}
