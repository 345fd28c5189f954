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

fn turned(a: T, b: T, turn: vec2f) -> vec2f {
  return vec2f(f32(a) * turn.x - f32(b) * turn.y, f32(b) * turn.x + f32(a) * turn.y);
}

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u) {
  // pairs = heads * half: one invocation turns one pair of a row of q, and the one of k that turns alike.
  let i = id.x % params.half;
  let turn = table[positions[id.y] * params.half + i];
  if (id.x < params.q_pairs) {
    let at = 2u * (id.y * params.q_pairs + id.x) - i;
    let pair = turned(q[at], q[at + params.half], turn);
    y[at] = T(pair.x);
    y[at + params.half] = T(pair.y);
  }
  if (id.x < params.k_pairs) {
    let at = 2u * (id.y * params.k_pairs + id.x) - i;
    let pair = turned(k[at], k[at + params.half], turn);
    y[params.keys + at] = T(pair.x);
    y[params.keys + at + params.half] = T(pair.y);
  }
}
