// uses: weights, rows
// needs: T
// y[t] = rows[t] + token_type[token_types[t]] + position[positions[t]]: the sum that an encoder's embedding norm takes. Models
// without token types or without a table of positions leave that term out.
// rows: of the words, already gathered for the tokens at hand (rows_float.wgsl, rows_grouped.wgsl)   token_type: [types, pairs]
// position: [positions, pairs]   token_types, positions: [tokens]   y: T [tokens, width]   pairs = width / 2, rounded up
struct Params { width: u32, pairs: u32, has_types: u32, has_positions: u32 }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> rows: array<Words>;
@group(0) @binding(2) var<storage, read> token_type: array<Weights2>;
@group(0) @binding(3) var<storage, read> token_types: array<u32>;
@group(0) @binding(4) var<storage, read> position: array<Weights2>;
@group(0) @binding(5) var<storage, read> positions: array<u32>;
@group(0) @binding(6) var<storage, read_write> y: array<T>;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u) {
  let pair = id.x;
  let token = id.y;
  if (pair >= params.pairs) { return; }
  var sum = row_pair(token, pair);
  if (params.has_types != 0u) { sum += unpack2(token_type[token_types[token] * params.pairs + pair]); }
  if (params.has_positions != 0u) { sum += unpack2(position[positions[token] * params.pairs + pair]); }
  let at = token * params.width + 2u * pair;
  y[at] = T(sum.x);
  if (2u * pair + 1u < params.width) { y[at + 1u] = T(sum.y); }
}
