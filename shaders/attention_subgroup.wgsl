// uses: exp_or_zero
// softmax(q · kᵀ * scale) · v over packed sequences, by online softmax (Milakov and Gimelshein 2018), for adapters that
// compute on a processor.
// q, y: T [rows, heads * HEAD_DIM]   k, v: T [tokens, heads * HEAD_DIM]
// tiles: (first row, rows, first key, end of keys) for each workgroup in x; y counts the heads. Key tiles count from
// the sequence's own first key, so that no sum depends on the rest of the batch.
//
// The workgroup is one subgroup of S lanes with ROWS rows of q. Scores: a lane is a key. Values: a lane is every S-th
// column of the head; shuffles hand round what the other lanes have.
struct Params { heads: u32, scale: f32 }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> q: array<T>;
@group(0) @binding(2) var<storage, read> k: array<T>;
@group(0) @binding(3) var<storage, read> v: array<T>;
@group(0) @binding(4) var<storage, read> tiles: array<vec4u>;
@group(0) @binding(5) var<storage, read_write> y: array<T>;

const CHUNKS = (HEAD_DIM + S - 1u) / S;
const LOWEST = -3.0e38;

@compute @workgroup_size(S)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_id) local: vec3u) {
  let lane = local.x;
  let tile = tiles[group.x];
  let width = params.heads * HEAD_DIM;
  let head = group.y * HEAD_DIM;

  var query: array<array<f32, CHUNKS>, ROWS>;
  for (var r = 0u; r < ROWS; r++) {
    let row = tile.x + min(r, tile.y - 1u);
    for (var c = 0u; c < CHUNKS; c++) {
      let d = c * S + lane;
      query[r][c] = select(0.0, f32(q[row * width + head + min(d, HEAD_DIM - 1u)]) * params.scale, d < HEAD_DIM);
    }
  }

  var highest: array<f32, ROWS>;
  var total: array<f32, ROWS>;
  var out: array<array<f32, CHUNKS>, ROWS>;
  for (var r = 0u; r < ROWS; r++) { highest[r] = LOWEST; }

  for (var first = tile.z; first < tile.w; first += S) {
    let is_key = first + lane < tile.w;
    let at = min(first + lane, tile.w - 1u) * width + head;

    // By hand: Mesa 25 keeps what an array declared in a loop held in the turn before.
    var score: array<f32, ROWS>;
    for (var r = 0u; r < ROWS; r++) { score[r] = 0.0; }
    for (var c = 0u; c < CHUNKS; c++) {
      for (var u = 0u; u < S; u++) {
        if (c * S + u < HEAD_DIM) {
          let key = f32(k[at + c * S + u]);
          for (var r = 0u; r < ROWS; r++) { score[r] = fma(subgroupShuffle(query[r][c], u), key, score[r]); }
        }
      }
    }

    for (var r = 0u; r < ROWS; r++) {
      let higher = max(highest[r], subgroupMax(select(LOWEST, score[r], is_key)));
      let kept = exp_or_zero(highest[r] - higher);
      score[r] = select(0.0, exp_or_zero(score[r] - higher), is_key);
      total[r] = fma(total[r], kept, subgroupAdd(score[r]));
      highest[r] = higher;
      for (var c = 0u; c < CHUNKS; c++) { out[r][c] *= kept; }
    }

    for (var u = 0u; u < S; u++) {
      let from_key = min(first + u, tile.w - 1u) * width + head;
      for (var c = 0u; c < CHUNKS; c++) {
        let value = f32(v[from_key + min(c * S + lane, HEAD_DIM - 1u)]);
        for (var r = 0u; r < ROWS; r++) { out[r][c] = fma(subgroupShuffle(score[r], u), value, out[r][c]); }
      }
    }
  }

  for (var r = 0u; r < ROWS; r++) {
    if (r < tile.y) {
      for (var c = 0u; c < CHUNKS; c++) {
        let d = c * S + lane;
        if (d < HEAD_DIM) { y[(tile.x + r) * width + head + d] = T(out[r][c] / total[r]); }
      }
    }
  }
}
