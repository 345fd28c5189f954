// uses: reduce
// needs: T, LANES, OWN
// y = (x - mean) / sqrt(var + eps) * weight + bias, mean and variance over a row (Ba et al. 2016), for GPUs and rows of whole
// quads of columns. With `add`, `other` is added to that. x is read once: each of the LANES invocations of a row keeps OWN
// quads, LANES apart, in registers.
// x, other, y: T [rows, width]   weight, bias: f32 [width]   sums in f32
struct Params { width: u32, eps: f32, has_bias: u32, add: u32 }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<vec4<T>>;
@group(0) @binding(2) var<storage, read> weight: array<vec4f>;
@group(0) @binding(3) var<storage, read> bias: array<vec4f>;
@group(0) @binding(4) var<storage, read> other: array<vec4<T>>;
@group(0) @binding(5) var<storage, read_write> y: array<vec4<T>>;

@compute @workgroup_size(LANES)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_id) local: vec3u) {
  let lane = local.x;
  let quads = params.width / 4u;
  let start = group.x * quads;
  let width = f32(params.width);

  //# i < OWN {
  let quad_$i = min(lane + $iu * LANES, quads - 1u);
  let inside_$i = lane + $iu * LANES < quads;
  let x_$i = select(vec4f(), vec4f(x[start + quad_$i]), inside_$i);
  //# }
  var sum = 0.0;
  //# i < OWN
  sum += dot(x_$i, vec4f(1.0));
  let mean = reduce_sum(sum, lane) / width;

  var squares = 0.0;
  //# i < OWN {
  let off_$i = select(vec4f(), x_$i - mean, inside_$i);
  squares += dot(off_$i, off_$i);
  //# }
  let scale = 1.0 / sqrt(reduce_sum(squares, lane) / width + params.eps);

  //# i < OWN {
  if (inside_$i) {
    let shift = select(vec4f(), bias[quad_$i], params.has_bias != 0u);
    var value_$i = off_$i * scale * weight[quad_$i] + shift;
    if (params.add != 0u) { value_$i += vec4f(other[start + quad_$i]); }
    y[start + quad_$i] = vec4<T>(value_$i);
  }
  //# }
}
