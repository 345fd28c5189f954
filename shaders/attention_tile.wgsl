// What one workgroup of an attention kernel does (src/tensor/attention.ts makes the table). Keys and positions count from
// the start of the sequence; the first `prefix_keys` keys are rows of a prefix that sequences share.
struct Tile {
  row: u32,         // first row of q
  rows: u32,
  position: u32,    // of the first row in its sequence
  keys: u32,        // of the sequence
  prefix_row: u32,  // row of k and v where the shared prefix starts
  prefix_keys: u32,
  key_row: u32,     // row of k and v where the sequence's own keys start
  unused: u32,
}

fn key_row(tile: Tile, key: u32) -> u32 {
  return select(tile.key_row + key - tile.prefix_keys, tile.prefix_row + key, key < tile.prefix_keys);
}

// The first key that any row of the tile sees, and the end of them.
fn first_key(tile: Tile) -> u32 {
  return select(0u, tile.position + 1u - params.window, params.window != 0u && tile.position + 1u > params.window);
}
fn end_key(tile: Tile) -> u32 {
  let causal_end = select(tile.keys, tile.position + tile.rows, params.causal != 0u);
  let window_end = select(tile.keys, tile.position + tile.rows - 1u + params.window, params.window != 0u);
  return min(tile.keys, min(causal_end, window_end));
}

// The first key that a row of the tile sees, and the end of them: keys of the sequence, none after the row where attention is
// causal, and less than the window away.
fn keys_of(tile: Tile, row: u32) -> vec2u {
  let position = tile.position + row;
  let first = select(0u, position + 1u - params.window, params.window != 0u && position + 1u > params.window);
  let causal_end = select(tile.keys, position + 1u, params.causal != 0u);
  let window_end = select(tile.keys, position + params.window, params.window != 0u);
  return vec2u(first, min(tile.keys, min(causal_end, window_end)));
}
