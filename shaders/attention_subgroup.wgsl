// uses: exp_or_zero, attention_tile, score_bias, add_lane
// needs: T, S, QUADS
// softmax(q · kᵀ * scale + bias) · v over packed sequences, by online softmax (Milakov and Gimelshein 2018), for adapters that
// compute on a processor.
// q, y: T [rows, heads * head_dim]   k, v: T [tokens, heads / group * head_dim], all read four columns at a time
// tiles: what each workgroup in x does; y counts the heads from `first_head` on, of which `group` share one head of k and v. Key tiles count
// from the sequence's own first key, across a shared prefix too, so that no sum depends on the rest of the batch.
//
// The workgroup is one subgroup of S lanes with 2 * S rows of q, low and high, and 4 * S keys at a time. A load costs
// much more than arithmetic there: each number of k and v is loaded once for all rows, and shuffles hand round what
// other lanes have. Scores: a lane has one row of q in each half, and four keys. Values: a lane has four columns.
// The loops over columns and lanes stay loops: unrolled, the shader takes seconds to compile there. So what is summed
// over keys lies in workgroup memory unless all columns fit the lanes at once; each lane touches only its own numbers.
// In the end a loop reads the sums, from a copy: an array that a loop reads lies in memory all the time.
struct Params { heads: u32, group: u32, head_dim: u32, scale: f32, causal: u32, window: u32, first_head: u32 }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> q: array<vec4<T>>;
@group(0) @binding(2) var<storage, read> k: array<vec4<T>>;
@group(0) @binding(3) var<storage, read> v: array<vec4<T>>;
@group(0) @binding(4) var<storage, read> tiles: array<Tile>;
@group(0) @binding(5) var<storage, read_write> y: array<vec4<T>>;

const LOWEST = -3.0e38;
const KEYS = 4u * S;
var<workgroup> out: array<vec4f, QUADS * 2u * S * S>; // [S quads of columns][row][lane]

// S rows of a tile. The keys of a score are those of the lane: S apart.
struct Rows {
  score: array<vec4f, S>,
  highest: array<f32, S>,
  total: array<f32, S>,
  kept: array<f32, S>,
}

@compute @workgroup_size(S)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_id) local: vec3u) {
  let lane = local.x;
  let tile = tiles[group.x];
  let quads = params.head_dim / 4u;
  let width = params.heads * quads;
  let key_width = width / params.group;
  let own_head = params.first_head + group.y;
  let head = own_head * quads;
  let key_head = own_head / params.group * quads;
  let low_row = (tile.row + min(lane, tile.rows - 1u)) * width + head;
  let high_row = (tile.row + min(S + lane, tile.rows - 1u)) * width + head;

  var low: Rows;
  var high: Rows;
  var low_sum: array<vec4f, S>;
  var high_sum: array<vec4f, S>;
  for (var r = 0u; r < S; r++) { low.highest[r] = LOWEST; low.total[r] = 0.0; }
  for (var r = 0u; r < S; r++) { high.highest[r] = LOWEST; high.total[r] = 0.0; }

  let end = end_key(tile);
  for (var first = first_key(tile) / KEYS * KEYS; first < end; first += KEYS) {
    var row: array<u32, 4>;
    for (var t = 0u; t < 4u; t++) { row[t] = key_row(tile, min(first + t * S + lane, end - 1u)) * key_width + key_head; }

    // By hand: Mesa 25 keeps what an array declared in a loop held in the turn before.
    for (var r = 0u; r < S; r++) { low.score[r] = vec4f(); }
    for (var r = 0u; r < S; r++) { high.score[r] = vec4f(); }
    for (var d = 0u; d < quads; d++) {
      let keys = transpose(mat4x4f(vec4f(k[row[0] + d]), vec4f(k[row[1] + d]), vec4f(k[row[2] + d]), vec4f(k[row[3] + d])));
      let queries = vec4f(q[low_row + d]);
      for (var r = 0u; r < S; r++) { low.score[r] = add_lane(low.score[r], queries, r, keys); }
      let more = vec4f(q[high_row + d]);
      for (var r = 0u; r < S; r++) { high.score[r] = add_lane(high.score[r], more, r, keys); }
    }

    soften(&low, tile, own_head, 0u, first + lane);
    soften(&high, tile, own_head, S, first + lane);

    for (var c = 0u; c < quads; c += S) {
      let column = min(c + lane, quads - 1u) + key_head;
      let at = c * 2u * S + lane;
      if (QUADS > 1u) {
        for (var r = 0u; r < S; r++) { low_sum[r] = out[at + r * S]; }
        for (var r = 0u; r < S; r++) { high_sum[r] = out[at + (S + r) * S]; }
      }
      for (var r = 0u; r < S; r++) { low_sum[r] *= low.kept[r]; }
      for (var r = 0u; r < S; r++) { high_sum[r] *= high.kept[r]; }
      for (var u = 0u; u < S; u++) {
        var values: mat4x4f;
        for (var t = 0u; t < 4u; t++) {
          values[t] = vec4f(v[key_row(tile, min(first + t * S + u, end - 1u)) * key_width + column]);
        }
        for (var r = 0u; r < S; r++) { low_sum[r] = add_lane(low_sum[r], low.score[r], u, values); }
        for (var r = 0u; r < S; r++) { high_sum[r] = add_lane(high_sum[r], high.score[r], u, values); }
      }
      if (QUADS > 1u) {
        for (var r = 0u; r < S; r++) { out[at + r * S] = low_sum[r]; }
        for (var r = 0u; r < S; r++) { out[at + (S + r) * S] = high_sum[r]; }
      }
    }
  }

  var summed: array<vec4f, 2u * S>;
  if (QUADS == 1u) {
    for (var r = 0u; r < S; r++) { summed[r] = low_sum[r]; }
    for (var r = 0u; r < S; r++) { summed[S + r] = high_sum[r]; }
  }
  // Row `lane` of each half.
  var low_total = 0.0;
  for (var r = 0u; r < S; r++) { low_total = select(low_total, low.total[r], lane == r); }
  var high_total = 0.0;
  for (var r = 0u; r < S; r++) { high_total = select(high_total, high.total[r], lane == r); }
  for (var r = 0u; r < tile.rows; r++) {
    let total = subgroupShuffle(select(low_total, high_total, r >= S), r % S);
    for (var c = lane; c < quads; c += S) {
      let sum = select(out[((c / S * 2u) * S + r) * S + lane], summed[r], QUADS == 1u);
      y[(tile.row + r) * width + head + c] = vec4<T>(sum / total);
    }
  }
}

// Scores of the keys `key`, S + `key`, ... become weights: relative to the highest score so far, not yet to their sum.
fn soften(rows: ptr<function, Rows>, tile: Tile, head: u32, first_row: u32, key: u32) {
  for (var r = 0u; r < S; r++) {
    var score = (*rows).score[r] * params.scale;
    let seen = keys_of(tile, first_row + r);
    for (var t = 0u; t < 4u; t++) {
      let at = key + t * S;
      let score_at = biased(score[t], tile, head, first_row + r, at);
      score[t] = select(LOWEST, score_at, at >= seen.x && at < seen.y);
    }
    let most = max(max(score.x, score.y), max(score.z, score.w));
    let highest = max((*rows).highest[r], highest_of(most));
    let kept = exp_or_zero((*rows).highest[r] - highest);
    for (var t = 0u; t < 4u; t++) { score[t] = select(0.0, exp_or_zero(score[t] - highest), score[t] > LOWEST); }
    (*rows).score[r] = score;
    (*rows).highest[r] = highest;
    (*rows).kept[r] = kept;
    (*rows).total[r] = fma((*rows).total[r], kept, sum_of(score.x + score.y + score.z + score.w));
  }
}

// Of all lanes. Mesa makes a loop over the lanes of subgroupMax and subgroupAdd.
fn highest_of(x: f32) -> f32 {
  var most = x;
  for (var step = 1u; step < S; step *= 2u) { most = max(most, subgroupShuffleXor(most, step)); }
  return most;
}
fn sum_of(x: f32) -> f32 {
  var sum = x;
  for (var step = 1u; step < S; step *= 2u) { sum += subgroupShuffleXor(sum, step); }
  return sum;
}
