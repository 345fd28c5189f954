// uses: exp_or_zero, attention_tile
// softmax(q · kᵀ * scale) · v over packed sequences, by online softmax (Milakov and Gimelshein 2018), for adapters that
// compute on a processor.
// q, y: T [rows, heads * head_dim]   k, v: T [tokens, heads / group * head_dim]
// tiles: what each workgroup in x does; y counts the heads, of which `group` share one head of k and v. Key tiles count
// from the sequence's own first key, across a shared prefix too, so that no sum depends on the rest of the batch.
//
// The workgroup is one subgroup of S lanes with ROWS rows of q. Scores: a lane is a key. Values: a lane has every S-th
// column of the head. Shuffles hand round what the other lanes have. The loops over the columns stay loops: unrolled,
// the shader takes seconds to compile there. So what is summed over keys lies in workgroup memory, where each lane
// touches only its own numbers.
struct Params { heads: u32, group: u32, head_dim: u32, scale: f32, causal: u32, window: u32 }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> q: array<T>;
@group(0) @binding(2) var<storage, read> k: array<T>;
@group(0) @binding(3) var<storage, read> v: array<T>;
@group(0) @binding(4) var<storage, read> tiles: array<Tile>;
@group(0) @binding(5) var<storage, read_write> y: array<T>;

const LOWEST = -3.0e38;
var<workgroup> out: array<f32, MAX_HEAD_DIM * ROWS>;

@compute @workgroup_size(S)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_id) local: vec3u) {
  let lane = local.x;
  let tile = tiles[group.x];
  let chunks = (params.head_dim + S - 1u) / S;
  let width = params.heads * params.head_dim;
  let key_width = width / params.group;
  let key_head = group.y / params.group * params.head_dim;

  var from_row: array<u32, ROWS>;
  var highest: array<f32, ROWS>;
  var total: array<f32, ROWS>;
  for (var r = 0u; r < ROWS; r++) {
    from_row[r] = (tile.row + min(r, tile.rows - 1u)) * width + group.y * params.head_dim;
    highest[r] = LOWEST;
  }

  let end = end_key(tile);
  for (var first = first_key(tile) / S * S; first < end; first += S) {
    let from_key = key_row(tile, min(first + lane, end - 1u)) * key_width + key_head;

    // By hand: Mesa 25 keeps what an array declared in a loop held in the turn before.
    var score: array<f32, ROWS>;
    for (var r = 0u; r < ROWS; r++) { score[r] = 0.0; }
    for (var d = 0u; d < params.head_dim; d += S) {
      let column = min(d + lane, params.head_dim - 1u);
      let scale = select(0.0, params.scale, d + lane < params.head_dim);
      var query: array<f32, ROWS>;
      for (var r = 0u; r < ROWS; r++) { query[r] = f32(q[from_row[r] + column]) * scale; }
      for (var u = 0u; u < S; u++) {
        let key = f32(k[from_key + min(d + u, params.head_dim - 1u)]);
        for (var r = 0u; r < ROWS; r++) { score[r] = fma(subgroupShuffle(query[r], u), key, score[r]); }
      }
    }

    var kept: array<f32, ROWS>;
    for (var r = 0u; r < ROWS; r++) {
      let seen = sees(tile, r, first + lane);
      let higher = max(highest[r], subgroupMax(select(LOWEST, score[r], seen)));
      kept[r] = exp_or_zero(highest[r] - higher);
      highest[r] = higher;
      score[r] = select(0.0, exp_or_zero(score[r] - higher), seen);
      total[r] = fma(total[r], kept[r], subgroupAdd(score[r]));
    }

    for (var c = 0u; c < chunks; c++) {
      let column = min(c * S + lane, params.head_dim - 1u);
      var sum: array<f32, ROWS>;
      for (var r = 0u; r < ROWS; r++) { sum[r] = out[(c * ROWS + r) * S + lane] * kept[r]; }
      for (var u = 0u; u < S; u++) {
        let value = f32(v[key_row(tile, min(first + u, end - 1u)) * key_width + key_head + column]);
        for (var r = 0u; r < ROWS; r++) { sum[r] = fma(subgroupShuffle(score[r], u), value, sum[r]); }
      }
      for (var r = 0u; r < ROWS; r++) { out[(c * ROWS + r) * S + lane] = sum[r]; }
    }
  }

  for (var c = 0u; c < chunks; c++) {
    let d = c * S + lane;
    if (d < params.head_dim) {
      for (var r = 0u; r < ROWS; r++) {
        if (r < tile.rows) { y[from_row[r] + d] = T(out[(c * ROWS + r) * S + lane] / total[r]); }
      }
    }
  }
}
