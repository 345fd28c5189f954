// needs: T
// Rotary position embedding (Su et al. 2021) in the order of halves that Llama's checkpoints have.
// x, y: T [rows, heads * 2 * half]   positions: u32 [rows]   table: (cos, sin) f32 [positions, half], made on the host,
// since WGSL's own sin and cos are too coarse.
struct Params { half: u32, pairs: u32 }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<T>;
@group(0) @binding(2) var<storage, read> positions: array<u32>;
@group(0) @binding(3) var<storage, read> table: array<vec2f>;
@group(0) @binding(4) var<storage, read_write> y: array<T>;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u) {
  // pairs = heads * half: one invocation turns one pair of a row.
  if (id.x >= params.pairs) { return; }
  let head = id.x / params.half;
  let i = id.x % params.half;
  let at = id.y * 2u * params.pairs + head * 2u * params.half + i;
  let turn = table[positions[id.y] * params.half + i];
  let a = f32(x[at]);
  let b = f32(x[at + params.half]);
  y[at] = T(a * turn.x - b * turn.y);
  y[at + params.half] = T(b * turn.x + a * turn.y);
}
