// Multiply-adds on registers alone: the most arithmetic that an adapter does. Each invocation has CHAINS sums of type V,
// none of which waits for another; all go to a number near 1, away from denormals.
struct Params { turns: u32, factor: f32, addend: f32 }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read_write> y: array<V>;

const UNROLLED = 8u;

@compute @workgroup_size(SIZE)
fn main(@builtin(global_invocation_id) id: vec3u) {
  let factor = V(params.factor);
  let addend = V(params.addend);
  var sums: array<V, CHAINS>;
  for (var c = 0u; c < CHAINS; c++) { sums[c] = V(f32(id.x % SIZE + c)); }
  for (var turn = 0u; turn < params.turns; turn++) {
    for (var u = 0u; u < UNROLLED; u++) {
      for (var c = 0u; c < CHAINS; c++) { sums[c] = fma(sums[c], factor, addend); }
    }
  }
  var total = V(0.0);
  for (var c = 0u; c < CHAINS; c++) { total += sums[c]; }
  y[id.x] = total;
}
