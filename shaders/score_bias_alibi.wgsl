// ALiBi (Press et al. 2022), symmetric: a score loses the distance between query and key, times the slope of the head.
// slopes: f32 [heads]
@group(0) @binding(6) var<storage, read> slopes: array<f32>;

fn biased(score: f32, tile: Tile, head: u32, row: u32, key: u32) -> f32 {
  let position = tile.position + row;
  let distance = select(position - key, key - position, key > position);
  return score - slopes[head] * f32(distance);
}
