// Memory traffic without arithmetic: each workgroup reads, or copies, `count` numbers of type V that lie side by side.
struct Params { count: u32 }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<V>;
@group(0) @binding(2) var<storage, read_write> y: array<V>;

@compute @workgroup_size(SIZE)
fn load(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_id) local: vec3u) {
  let start = group.x * params.count;
  var sum = V(0.0);
  for (var i = local.x; i < params.count; i += SIZE) { sum += x[start + i]; }
  y[group.x * SIZE + local.x] = sum;
}

@compute @workgroup_size(SIZE)
fn copy(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_id) local: vec3u) {
  let start = group.x * params.count;
  for (var i = local.x; i < params.count; i += SIZE) { y[start + i] = x[start + i]; }
}
