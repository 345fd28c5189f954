// A score of attention between -cap and cap: cap * tanh(score / cap) (Gemma Team 2024). What is not finite stays as it is.
// score_cap: f32 [1]
@group(0) @binding(6) var<storage, read> score_cap: array<f32>;

fn biased(score: f32, tile: Tile, head: u32, row: u32, key: u32) -> f32 {
  let is_finite = (bitcast<u32>(score) & 0x7f800000u) != 0x7f800000u;
  return select(score, score_cap[0] * tanh(clamp(score / score_cap[0], -15.0, 15.0)), is_finite);
}
