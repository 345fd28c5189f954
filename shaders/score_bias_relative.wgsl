// needs: T, C2P, P2C
// Disentangled attention (He et al. 2021): a score gains the products of its query and of its key with what is learned for the
// distance between them, each where C2P and P2C are 1.
// c2p: T [rows of q, heads, stride], p2c: T [rows of k, heads, stride], times the scale of the scores
// distances: u32 stride, how far back the first distance is, and from there on the row of each
@group(0) @binding(6) var<storage, read> c2p: array<T>;
@group(0) @binding(7) var<storage, read> p2c: array<T>;
@group(0) @binding(8) var<storage, read> distances: array<u32>;

fn biased(score: f32, tile: Tile, head: u32, row: u32, key: u32) -> f32 {
  let stride = distances[0];
  let at = distances[2u + distances[1] + tile.position + row - key];
  var sum = score;
  if (C2P != 0u) { sum += f32(c2p[((tile.row + row) * params.heads + head) * stride + at]); }
  if (P2C != 0u) { sum += f32(p2c[(key_row(tile, key) * params.heads + head) * stride + at]); }
  return sum;
}
