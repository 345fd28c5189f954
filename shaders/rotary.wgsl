// needs: T
// Rotary position embedding (Su et al. 2021) in the order of halves that Llama's checkpoints have, of queries and keys.
// q: T [rows, heads * 2 * half]   k: T [rows, key heads * 2 * half], or nothing   positions: u32 [rows]
// table: (cos, sin) f32 [positions, half], made on the host, since WGSL's own sin and cos are too coarse.
// y: T, q turned, and from number `keys` on k turned
struct Params { half: u32, q_pairs: u32, k_pairs: u32, keys: u32 }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> q: array<T>;
@group(0) @binding(2) var<storage, read> k: array<T>;
@group(0) @binding(3) var<storage, read> positions: array<u32>;
@group(0) @binding(4) var<storage, read> table: array<vec2f>;
@group(0) @binding(5) var<storage, read_write> y: array<T>;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u) {
  // pairs = heads * half: one invocation turns one pair of a row.
  if (id.x >= params.q_pairs + params.k_pairs) { return; }
  let is_query = id.x < params.q_pairs;
  let pair = select(id.x - params.q_pairs, id.x, is_query);
  let i = pair % params.half;
  let at = 2u * (id.y * select(params.k_pairs, params.q_pairs, is_query) + pair - i) + i;
  let turn = table[positions[id.y] * params.half + i];
  var numbers: vec2f;
  if (is_query) { numbers = vec2f(f32(q[at]), f32(q[at + params.half])); }
  else { numbers = vec2f(f32(k[at]), f32(k[at + params.half])); }
  let to = select(params.keys, 0u, is_query) + at;
  y[to] = T(numbers.x * turn.x - numbers.y * turn.y);
  y[to + params.half] = T(numbers.y * turn.x + numbers.x * turn.y);
}
