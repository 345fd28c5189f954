// uses: exp_or_zero
// softmax(q · kᵀ * scale) · v over packed sequences, by online softmax (Milakov and Gimelshein 2018), for adapters that
// compute on a processor.
// q, y: T [rows, heads * head_dim]   k, v: T [tokens, heads * head_dim]
// tiles: (first row, rows, first key, end of keys) for each workgroup in x; y counts the heads. Key tiles count from
// the sequence's own first key, so that no sum depends on the rest of the batch.
//
// The workgroup is one subgroup of S lanes with ROWS rows of q. Scores: a lane is a key. Values: a lane has every S-th
// column of the head. Shuffles hand round what the other lanes have. The loops over the columns stay loops: unrolled,
// the shader takes seconds to compile there. So what is summed over keys lies in workgroup memory, where each lane
// touches only its own numbers.
struct Params { heads: u32, head_dim: u32, scale: f32 }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> q: array<T>;
@group(0) @binding(2) var<storage, read> k: array<T>;
@group(0) @binding(3) var<storage, read> v: array<T>;
@group(0) @binding(4) var<storage, read> tiles: array<vec4u>;
@group(0) @binding(5) var<storage, read_write> y: array<T>;

const LOWEST = -3.0e38;
var<workgroup> out: array<f32, MAX_HEAD_DIM * ROWS>;

@compute @workgroup_size(S)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_id) local: vec3u) {
  let lane = local.x;
  let tile = tiles[group.x];
  let chunks = (params.head_dim + S - 1u) / S;
  let width = params.heads * params.head_dim;
  let head = group.y * params.head_dim;

  var from_row: array<u32, ROWS>;
  var highest: array<f32, ROWS>;
  var total: array<f32, ROWS>;
  for (var r = 0u; r < ROWS; r++) {
    from_row[r] = (tile.x + min(r, tile.y - 1u)) * width + head;
    highest[r] = LOWEST;
  }

  for (var first = tile.z; first < tile.w; first += S) {
    let is_key = first + lane < tile.w;
    let from_key = min(first + lane, tile.w - 1u) * width + head;

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
      let higher = max(highest[r], subgroupMax(select(LOWEST, score[r], is_key)));
      kept[r] = exp_or_zero(highest[r] - higher);
      highest[r] = higher;
      score[r] = select(0.0, exp_or_zero(score[r] - higher), is_key);
      total[r] = fma(total[r], kept[r], subgroupAdd(score[r]));
    }

    for (var c = 0u; c < chunks; c++) {
      let column = min(c * S + lane, params.head_dim - 1u);
      var sum: array<f32, ROWS>;
      for (var r = 0u; r < ROWS; r++) { sum[r] = out[(c * ROWS + r) * S + lane] * kept[r]; }
      for (var u = 0u; u < S; u++) {
        let value = f32(v[min(first + u, tile.w - 1u) * width + head + column]);
        for (var r = 0u; r < ROWS; r++) { sum[r] = fma(subgroupShuffle(score[r], u), value, sum[r]); }
      }
      for (var r = 0u; r < ROWS; r++) { out[(c * ROWS + r) * S + lane] = sum[r]; }
    }
  }

  for (var c = 0u; c < chunks; c++) {
    let d = c * S + lane;
    if (d < params.head_dim) {
      for (var r = 0u; r < ROWS; r++) {
        if (r < tile.y) { y[from_row[r] + d] = T(out[(c * ROWS + r) * S + lane] / total[r]); }
      }
    }
  }
}
