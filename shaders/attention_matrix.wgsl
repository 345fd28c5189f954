// uses: attention_tile, score_bias
// needs: T, M, N, K, S, SIZED, DOWN, KEYS, HEAD, KEY_LOADS, DEPTH, STEPS, COLS, TILES, EACH
// softmax(q · kᵀ * scale + bias) · v over packed sequences, by online softmax (Milakov and Gimelshein 2018) and subgroup matrices:
// products of M x K by K x N numbers in f16, sums in f32.
// q, y: T = f16 [rows, heads * HEAD]   k, v: f16 [tokens, heads / group * HEAD]
// tiles: what each workgroup in x does; y counts the heads from `first_head` on, of which `group` share one head of k and v. Key
// tiles count from the sequence's own first key, across a shared prefix too, so that no sum depends on the rest of the batch.
//
// A workgroup has DOWN * M rows, M for each of its subgroups of S, and KEYS keys at a time. Of the scores, in workgroup memory, a row
// belongs to S / M invocations: EACH scores for each. A matrix is made of a number, since drivers fill those without one with garbage.
// Weights are relative to a score near the highest: sums are rescaled only where a score goes far beyond it, which is rare and
// costs a way through workgroup memory. It depends on the scores of the row alone.
struct Params { heads: u32, group: u32, scale: f32, causal: u32, window: u32, first_head: u32 }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> q: array<vec4u>;
@group(0) @binding(2) var<storage, read> k: array<vec4u>;
@group(0) @binding(3) var<storage, read> v: array<vec4u>;
@group(0) @binding(4) var<storage, read> tiles: array<Tile>;
@group(0) @binding(5) var<storage, read_write> y: array<vec4<T>>;

const LOWEST = -3.0e38;
const ROWS = DOWN * M;
const INVOCATIONS = DOWN * S;
const SHARE = S / M; // invocations of a row
const CHUNKS = HEAD / 8u; // of a row, as it is read
const SIDE = INVOCATIONS / KEYS; // invocations that bring a key
const LINE = HEAD + 8u; // numbers from one row to the next: 8 more, so that rows lie in different banks
const WEIGHT_LINE = KEYS + 8u;
const SCORE_LINE = KEYS + 4u;
var<workgroup> queries: array<f16, ROWS * LINE>; // [row][column]
var<workgroup> staged: array<f16, KEYS * LINE>; // [key][column]: keys, then values
var<workgroup> scores: array<f32, ROWS * SCORE_LINE>; // [row][key], or sums on their way
var<workgroup> weights: array<f16, ROWS * WEIGHT_LINE>; // [row][key]
// The first one says whether a row's sums are rescaled. Vulkan requires matrices to start at multiples of 16 bytes, and drivers lay out
// variables back to back in an order of their own (NVIDIA's puts this one first), so each of them takes a multiple of 16 bytes.
var<workgroup> grown: array<atomic<u32>, 4>;

// The highest weight when sums are rescaled, as a logarithm, and how far others may go beyond it: products stay normal numbers
// of f16 down to exp(-15) of the highest, and below 65504.
const HEADROOM = 6.0;
const SLACK = 4.0;

@compute @workgroup_size(DOWN * S)
//# s < SIZED
@subgroup_size(S)
@diagnostic(off, chromium.subgroup_matrix_uniformity)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) index: u32,
        @builtin(subgroup_id) subgroup: u32, @builtin(subgroup_invocation_id) lane: u32) {
  let tile = tiles[group.x];
  let head = params.first_head + group.y;
  let key_heads = params.heads / params.group;
  let key_head = head / params.group;
  let own = (subgroup % DOWN) * M;
  let row = own + (lane / SHARE) % M;
  let part = lane % SHARE * EACH;
  let seen = keys_of(tile, row);
  let end = end_key(tile);

  for (var turn = 0u; turn < ROWS * CHUNKS; turn += INVOCATIONS) {
    let i = turn + index;
    if (i < ROWS * CHUNKS) {
      let from_row = tile.row + min(i / CHUNKS, tile.rows - 1u);
      let numbers = q[(from_row * params.heads + head) * CHUNKS + i % CHUNKS];
      let at = i / CHUNKS * LINE + i % CHUNKS * 8u;
      //# j < 4 {
      {
        let two = bitcast<vec2<f16>>(numbers[$j]);
        queries[at + 2u * $ju] = two.x;
        queries[at + 2u * $ju + 1u] = two.y;
      }
      //# }
    }
  }

  // Each invocation brings chunks of one key, SIDE apart.
  let key = index / SIDE;
  let chunk = index % SIDE;
  var first = first_key(tile) / KEYS * KEYS;
  var source = (key_row(tile, min(first + key, end - 1u)) * key_heads + key_head) * CHUNKS + chunk;
  //# i < KEY_LOADS
  var k_$i = k[source + $iu * SIDE];
  //# c < COLS
  var sum_$c = subgroup_matrix_result<f32, N, M>(0.0);
  var base = LOWEST; // of the weights
  var total = 0.0;
  for (; first < end; first += KEYS) {
    //# i < KEY_LOADS {
    if (CHUNKS % SIDE == 0u || chunk + $iu * SIDE < CHUNKS) {
      let at = key * LINE + (chunk + $iu * SIDE) * 8u;
      let low = bitcast<vec4<f16>>(k_$i.xy);
      let high = bitcast<vec4<f16>>(k_$i.zw);
      //# j < 4
      staged[at + $ju] = low[$j];
      //# j < 4
      staged[at + 4u + $ju] = high[$j];
    }
    //# }
    if (index == 0u) { atomicStore(&grown[0], 0u); }
    workgroupBarrier();
    // Values are on their way during the products of keys, the next keys during those of values.
    //# i < KEY_LOADS
    let v_$i = v[source + $iu * SIDE];
    //# c < TILES
    var product_$c = subgroup_matrix_result<f32, N, M>(0.0);
    //# d < DEPTH {
    {
      let left = subgroupMatrixLoad<subgroup_matrix_left<f16, K, M>, row_major>(&queries, own * LINE + $du * K, LINE);
      //# c < TILES {
      {
        let keys = subgroupMatrixLoad<subgroup_matrix_right<f16, N, K>, col_major>(&staged, $cu * N * LINE + $du * K, LINE);
        product_$c = subgroupMatrixMultiplyAccumulate(left, keys, product_$c);
      }
      //# }
    }
    //# }
    //# c < TILES
    subgroupMatrixStore<row_major>(&scores, own * SCORE_LINE + $cu * N, product_$c, SCORE_LINE);
    workgroupBarrier();
    //# i < KEY_LOADS {
    if (CHUNKS % SIDE == 0u || chunk + $iu * SIDE < CHUNKS) {
      let at = key * LINE + (chunk + $iu * SIDE) * 8u;
      let low = bitcast<vec4<f16>>(v_$i.xy);
      let high = bitcast<vec4<f16>>(v_$i.zw);
      //# j < 4
      staged[at + $ju] = low[$j];
      //# j < 4
      staged[at + 4u + $ju] = high[$j];
    }
    //# }
    source = (key_row(tile, min(first + KEYS + key, end - 1u)) * key_heads + key_head) * CHUNKS + chunk;
    //# i < KEY_LOADS
    k_$i = k[source + $iu * SIDE];

    //# j < EACH
    let score_$j = score_of(scores[row * SCORE_LINE + part + $ju], tile, head, row, first + part + $ju, end, seen);
    var most = LOWEST;
    //# j < EACH
    most = max(most, score_$j);
    for (var step = 1u; step < SHARE; step *= 2u) { most = max(most, subgroupShuffleXor(most, step)); }
    let grows = most > base + (HEADROOM + SLACK);
    let next = select(base, most - HEADROOM, grows);
    let kept = select(1.0, exp(max(base - next, -80.0)), grows);
    base = next;
    var added = 0.0;
    //# j < EACH {
    {
      let weight = f16(weight_of(score_$j, base));
      weights[row * WEIGHT_LINE + part + $ju] = weight;
      added += f32(weight);
    }
    //# }
    for (var step = 1u; step < SHARE; step *= 2u) { added += subgroupShuffleXor(added, step); }
    total = fma(total, kept, added);
    if (grows) { atomicStore(&grown[0], 1u); }
    if (workgroupUniformLoad(&grown[0]) != 0u) {
      //# c < COLS {
      subgroupMatrixStore<row_major>(&scores, own * SCORE_LINE + $cu % TILES * N, sum_$c, SCORE_LINE);
      workgroupBarrier();
      for (var i = lane % SHARE; i < N; i += SHARE) { scores[row * SCORE_LINE + $cu % TILES * N + i] *= kept; }
      workgroupBarrier();
      sum_$c = subgroupMatrixLoad<subgroup_matrix_result<f32, N, M>, row_major>(&scores, own * SCORE_LINE + $cu % TILES * N, SCORE_LINE);
      if (TILES == 1u) { workgroupBarrier(); } // else the next sums lie beside these
      //# }
    }
    //# s < STEPS {
    {
      let left = subgroupMatrixLoad<subgroup_matrix_left<f16, K, M>, row_major>(&weights, own * WEIGHT_LINE + $su * K, WEIGHT_LINE);
      //# c < COLS {
      {
        let values = subgroupMatrixLoad<subgroup_matrix_right<f16, N, K>, row_major>(&staged, $su * K * LINE + $cu * N, LINE);
        sum_$c = subgroupMatrixMultiplyAccumulate(left, values, sum_$c);
      }
      //# }
    }
    //# }
    workgroupBarrier();
  }

  //# c < COLS {
  subgroupMatrixStore<row_major>(&scores, own * SCORE_LINE + $cu % TILES * N, sum_$c, SCORE_LINE);
  // As many columns as there is room for.
  if ($cu % TILES == TILES - 1u || $cu == COLS - 1u) {
    workgroupBarrier();
    for (var i = 4u * (lane % SHARE); i < ($cu % TILES + 1u) * N; i += 4u * SHARE) {
      let at = row * SCORE_LINE + i;
      let sum = vec4f(scores[at], scores[at + 1u], scores[at + 2u], scores[at + 3u]);
      let column = $cu / TILES * TILES * N + i;
      if (row < tile.rows) { y[((tile.row + row) * params.heads + head) * (HEAD / 4u) + column / 4u] = vec4<T>(sum / total); }
    }
    workgroupBarrier();
  }
  //# }
}

// LOWEST where the row does not see the key.
fn score_of(product: f32, tile: Tile, head: u32, row: u32, key: u32, end: u32, seen: vec2u) -> f32 {
  let score = biased(product * params.scale, tile, head, row, min(key, end - 1u));
  return select(LOWEST, score, key >= seen.x && key < seen.y);
}

// What is not finite stays so.
fn weight_of(score: f32, base: f32) -> f32 {
  let x = score - base;
  return select(exp(x), 0.0, x <= -80.0 || score == LOWEST);
}
