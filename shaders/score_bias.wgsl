// What is added to a score of attention: nothing. Other files of this kind add a term that depends on the positions of query
// and key, and bind what they need for it from 6 on.
fn biased(score: f32, tile: Tile, head: u32, row: u32, key: u32) -> f32 { return score; }
