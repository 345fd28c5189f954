// uses: exp_or_zero, attention_tile, score_bias
// needs: T, ROWS, KEYS, HEAD_DIM
// softmax(q · kᵀ * scale + bias) · v over packed sequences, by online softmax (Milakov and Gimelshein 2018), with tiles of
// keys and values in workgroup memory.
// q, y: T [rows, heads * HEAD_DIM]   k, v: T [tokens, heads / group * HEAD_DIM]
// tiles: what each workgroup in x does; y counts the heads, of which `group` share one head of k and v. Key tiles count
// from the sequence's own first key, across a shared prefix too, so that no sum depends on the rest of the batch.
//
// Each of the ROWS invocations has one row of q.
struct Params { heads: u32, group: u32, scale: f32, causal: u32, window: u32 }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> q: array<T>;
@group(0) @binding(2) var<storage, read> k: array<T>;
@group(0) @binding(3) var<storage, read> v: array<T>;
@group(0) @binding(4) var<storage, read> tiles: array<Tile>;
@group(0) @binding(5) var<storage, read_write> y: array<T>;

const LOWEST = -3.0e38;
var<workgroup> keys: array<f32, KEYS * HEAD_DIM>;
var<workgroup> values: array<f32, KEYS * HEAD_DIM>;

@compute @workgroup_size(ROWS)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_id) local: vec3u) {
  let tile = tiles[group.x];
  let width = params.heads * HEAD_DIM;
  let key_width = width / params.group;
  let key_head = group.y / params.group * HEAD_DIM;
  let row = min(local.x, tile.rows - 1u);
  let at = (tile.row + row) * width + group.y * HEAD_DIM;

  var query: array<f32, HEAD_DIM>;
  for (var d = 0u; d < HEAD_DIM; d++) { query[d] = f32(q[at + d]) * params.scale; }
  var highest = LOWEST;
  var total = 0.0;
  var out: array<f32, HEAD_DIM>;

  let seen = keys_of(tile, row);
  let end = end_key(tile);
  for (var first = first_key(tile); first < end; first += KEYS) {
    let count = min(KEYS, end - first);
    for (var i = local.x; i < count * HEAD_DIM; i += ROWS) {
      let from_key = key_row(tile, first + i / HEAD_DIM) * key_width + key_head + i % HEAD_DIM;
      keys[i] = f32(k[from_key]);
      values[i] = f32(v[from_key]);
    }
    workgroupBarrier();
    for (var key = 0u; key < count; key++) {
      if (first + key < seen.x || first + key >= seen.y) { continue; }
      var score = 0.0;
      for (var d = 0u; d < HEAD_DIM; d++) { score = fma(query[d], keys[key * HEAD_DIM + d], score); }
      score = biased(score, tile, group.y, row, first + key);
      let higher = max(highest, score);
      let kept = exp_or_zero(highest - higher);
      let weight = exp_or_zero(score - higher);
      highest = higher;
      total = fma(total, kept, weight);
      for (var d = 0u; d < HEAD_DIM; d++) {
        out[d] = fma(weight, values[key * HEAD_DIM + d], out[d] * kept);
      }
    }
    workgroupBarrier();
  }

  if (local.x < tile.rows) {
    for (var d = 0u; d < HEAD_DIM; d++) { y[at + d] = T(out[d] / total); }
  }
}
