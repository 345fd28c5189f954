// y = cap * tanh(x / cap), which is x for small x and never beyond the cap (Gemma Team 2024).
// x, y: f32 [count]. What is not finite stays as it is: a cap would make a plausible score of it.
struct Params { count: u32, cap: f32 }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read_write> y: array<f32>;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u) {
  if (id.x >= params.count) { return; }
  let value = x[id.x];
  // By its bits: compilers may assume that there is no NaN. tanh is 1 beyond 15.
  let is_finite = (bitcast<u32>(value) & 0x7f800000u) != 0x7f800000u;
  y[id.x] = select(value, params.cap * tanh(clamp(value / params.cap, -15.0, 15.0)), is_finite);
}
