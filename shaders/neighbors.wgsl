// needs: T
// y[i][c][o] = x[row + o - reach][c] of the rows around row i, 0 outside of its sequence: what a convolution over the tokens
// multiplies with its weight.
// x: T [tokens, width]   spans: u32 [n, 3], of each row i itself, the first of its sequence and the one after its last
// y: T [n, width * (2 * reach + 1)]
struct Params { width: u32, reach: u32 }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<T>;
@group(0) @binding(2) var<storage, read> spans: array<u32>;
@group(0) @binding(3) var<storage, read_write> y: array<T>;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u) {
  let size = 2u * params.reach + 1u;
  if (id.x >= params.width * size) { return; }
  // May be below zero; as a u32 it is then past every end.
  let row = spans[3u * id.y] + id.x % size - params.reach;
  let inside = row >= spans[3u * id.y + 1u] && row < spans[3u * id.y + 2u];
  y[id.y * params.width * size + id.x] = select(T(0), x[select(0u, row, inside) * params.width + id.x / size], inside);
}
