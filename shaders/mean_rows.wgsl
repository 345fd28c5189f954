// needs: T
// y[s] = the mean of the rows of x from starts[s] on, lengths[s] of them: mean pooling over packed sequences.
// x: T [tokens, width]   starts, lengths: u32 [sequences]   y: T [sequences, width]   sums in f32
struct Params { width: u32 }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<T>;
@group(0) @binding(2) var<storage, read> starts: array<u32>;
@group(0) @binding(3) var<storage, read> lengths: array<u32>;
@group(0) @binding(4) var<storage, read_write> y: array<T>;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u) {
  if (id.x >= params.width) { return; }
  let length = lengths[id.y];
  var at = starts[id.y] * params.width + id.x;
  var sum = 0.0;
  for (var i = 0u; i < length; i++) {
    sum += f32(x[at]);
    at += params.width;
  }
  y[id.y * params.width + id.x] = T(sum / f32(length));
}
