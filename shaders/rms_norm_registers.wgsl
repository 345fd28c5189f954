// uses: reduce
// needs: T, LANES, OWN
// y = x / sqrt(mean(x²) + eps) * (weight + offset), the mean over a row (Zhang and Sennrich 2019), for GPUs and rows of whole
// quads of columns; Gemma's offset is 1. With `add`, `other` is added to that. x is read once: each of the LANES invocations of
// a head of a row keeps OWN quads, LANES apart, in registers.
// x, other, y: T [rows, heads * width]   weight: f32 [width]   sums in f32
struct Params { width: u32, eps: f32, offset: f32, add: u32 }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<vec4<T>>;
@group(0) @binding(2) var<storage, read> weight: array<vec4f>;
@group(0) @binding(3) var<storage, read> other: array<vec4<T>>;
@group(0) @binding(4) var<storage, read_write> y: array<vec4<T>>;

@compute @workgroup_size(LANES)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_id) local: vec3u,
) {
  let lane = local.x;
  let quads = params.width / 4u;
  let start = (group.x * groups.y + group.y) * quads;

  //# i < OWN {
  let quad_$i = min(lane + $iu * LANES, quads - 1u);
  let inside_$i = lane + $iu * LANES < quads;
  let x_$i = select(vec4f(), vec4f(x[start + quad_$i]), inside_$i);
  //# }
  var squares = 0.0;
  //# i < OWN
  squares += dot(x_$i, x_$i);
  let scale = 1.0 / sqrt(reduce_sum(squares, lane) / f32(params.width) + params.eps);

  //# i < OWN {
  if (inside_$i) {
    var value_$i = x_$i * scale * (weight[quad_$i] + params.offset);
    if (params.add != 0u) { value_$i += vec4f(other[start + quad_$i]); }
    y[start + quad_$i] = vec4<T>(value_$i);
  }
  //# }
}
