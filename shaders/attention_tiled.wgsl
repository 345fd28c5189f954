// uses: exp_or_zero
// softmax(q · kᵀ * scale) · v over packed sequences, by online softmax (Milakov and Gimelshein 2018), with tiles of
// keys and values in workgroup memory.
// q, y: T [rows, heads * HEAD_DIM]   k, v: T [tokens, heads * HEAD_DIM]
// tiles: (first row, rows, first key, end of keys) for each workgroup in x; y counts the heads. Key tiles count from
// the sequence's own first key, so that no sum depends on the rest of the batch.
//
// Each of the ROWS invocations has one row of q.
struct Params { heads: u32, scale: f32 }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> q: array<T>;
@group(0) @binding(2) var<storage, read> k: array<T>;
@group(0) @binding(3) var<storage, read> v: array<T>;
@group(0) @binding(4) var<storage, read> tiles: array<vec4u>;
@group(0) @binding(5) var<storage, read_write> y: array<T>;

const LOWEST = -3.0e38;
var<workgroup> keys: array<f32, KEYS * HEAD_DIM>;
var<workgroup> values: array<f32, KEYS * HEAD_DIM>;

@compute @workgroup_size(ROWS)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_id) local: vec3u) {
  let tile = tiles[group.x];
  let width = params.heads * HEAD_DIM;
  let head = group.y * HEAD_DIM;
  let at = (tile.x + min(local.x, tile.y - 1u)) * width + head;

  var query: array<f32, HEAD_DIM>;
  for (var d = 0u; d < HEAD_DIM; d++) { query[d] = f32(q[at + d]) * params.scale; }
  var highest = LOWEST;
  var total = 0.0;
  var out: array<f32, HEAD_DIM>;

  for (var first = tile.z; first < tile.w; first += KEYS) {
    let count = min(KEYS, tile.w - first);
    for (var i = local.x; i < count * HEAD_DIM; i += ROWS) {
      let from_key = (first + i / HEAD_DIM) * width + head + i % HEAD_DIM;
      keys[i] = f32(k[from_key]);
      values[i] = f32(v[from_key]);
    }
    workgroupBarrier();
    for (var key = 0u; key < count; key++) {
      var score = 0.0;
      for (var d = 0u; d < HEAD_DIM; d++) { score = fma(query[d], keys[key * HEAD_DIM + d], score); }
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

  if (local.x < tile.y) {
    for (var d = 0u; d < HEAD_DIM; d++) { y[at + d] = T(out[d] / total); }
  }
}
