// uses: exp_or_zero, attention_tile, attention_heads, score_bias
// needs: ROWS, EACH, LANES, DEPTH, OWN
// softmax(q · kᵀ * scale + bias) · v over packed sequences, by online softmax (Milakov and Gimelshein 2018), for GPUs.
// q, y: [rows, heads * head_dim]   k, v: [tokens, heads / group * head_dim], read four columns, a quad, at a time
// tiles: what each workgroup in x does; y counts the heads from `first_head` on, of which `group` share one head of k and v. Key tiles count
// from the sequence's own first key, across a shared prefix too, so that no sum depends on the rest of the batch.
//
// A workgroup has ROWS rows and KEYS keys at a time. An invocation has EACH rows: the scores of four keys, LANES apart, and
// the sums of OWN quads, LANES apart. Both are products of tiles in workgroup memory: of queries and keys, DEPTH quads at a
// time, and of weights and values, 4 * STEPS keys at a time. `depth` is DEPTH: the loops over tiles have bounds that drivers do
// not know, so that they stay short loops, apart from the loads.
struct Params { heads: u32, group: u32, head_dim: u32, scale: f32, causal: u32, window: u32, first_head: u32, depth: u32 }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(4) var<storage, read> tiles: array<Tile>;

const LOWEST = -3.0e38;
const KEYS = 4u * LANES;
const INVOCATIONS = ROWS / EACH * LANES;
const LINE = DEPTH + 1u; // odd, so that neighbouring keys lie in different banks
const WIDTH = OWN * LANES; // quads of a row of values
const STEPS = DEPTH / OWN;
var<workgroup> queries: array<vec4f, ROWS * DEPTH>; // [row][quad]
var<workgroup> staged: array<vec4f, KEYS * LINE>; // keys [key][quad], then values [step][four keys][quad]
var<workgroup> weights: array<vec4f, ROWS * LANES>; // [row][lane]: products, scores, then weights of the four keys of a lane
var<workgroup> partial: array<f32, ROWS * LANES>; // [row][lane]: the highest of these scores, then the sum of the weights
var<workgroup> highest: array<f32, ROWS>; // score so far
var<workgroup> kept: array<f32, ROWS>; // what sums so far are multiplied with
var<workgroup> totals: array<f32, ROWS>; // weights so far

@compute @workgroup_size(INVOCATIONS)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) index: u32) {
  let tile = tiles[group.x];
  let head = params.first_head + group.y;
  let quads = (params.head_dim + 3u) / 4u;
  let lane = index % LANES;
  let own = index / LANES * EACH;

  //# r < EACH, c < OWN
  var sum_$r_$c = vec4f();
  if (index < ROWS) { highest[index] = LOWEST; }

  let end = end_key(tile);
  for (var first = first_key(tile) / KEYS * KEYS; first < end; first += KEYS) {
    //# r < EACH
    var product_$r = vec4f();
    for (var d = 0u; d < quads; d += DEPTH) {
      workgroupBarrier();
      stage_products(tile, head, first, end, d, index);
      workgroupBarrier();
      let depth = min(params.depth, quads - d);
      for (var i = 0u; i < depth; i++) {
        let quad = i % DEPTH; // i, but compilers see that it is inside
        //# r < EACH
        let query_$r = queries[(own + $r) * DEPTH + quad];
        //# t < 4 {
        {
          let key = staged[($tu * LANES + lane) * LINE + quad];
          //# r < EACH
          product_$r[$t] = add_products(product_$r[$t], query_$r, key);
        }
        //# }
      }
    }
    //# r < EACH
    weights[(own + $r) * LANES + lane] = product_$r;
    soften(tile, head, first, end, own, index);

    let steps = min(LANES, end - first);
    for (var step = 0u; step < steps; step += STEPS) {
      workgroupBarrier();
      stage_values(tile, head, first + step, end, index);
      workgroupBarrier();
      if (step == 0u) {
        //# r < EACH, c < OWN
        sum_$r_$c *= kept[own + $r];
      }
      let count = min(params.depth / OWN, steps - step);
      for (var i = 0u; i < count; i++) {
        //# r < EACH
        let weight_$r = weights[(own + $r) * LANES + (step + i) % LANES];
        //# c < OWN, t < 4 {
        {
          let value = staged[(i % STEPS * 4u + $tu) * WIDTH + $cu * LANES + lane];
          //# r < EACH
          sum_$r_$c = fma(vec4f(weight_$r[$t]), value, sum_$r_$c);
        }
        //# }
      }
    }
  }

  //# r < EACH {
  if (own + $r < tile.rows) {
    let total = totals[own + $r];
    //# c < OWN
    store_y(tile.row + own + $r, head, $c * LANES + lane, sum_$r_$c / total);
  }
  //# }
}

// Queries, and keys from `first` on: DEPTH quads from `d` on. The loops over loads have counts that drivers know: written out,
// the loads wait for memory together.
fn stage_products(tile: Tile, head: u32, first: u32, end: u32, d: u32, index: u32) {
  for (var turn = 0u; turn < ROWS * DEPTH; turn += INVOCATIONS) {
    let i = turn + index;
    if (i < ROWS * DEPTH) {
      queries[i] = load_q(tile.row + min(i / DEPTH, tile.rows - 1u), head, d + i % DEPTH);
    }
  }
  for (var turn = 0u; turn < KEYS * DEPTH; turn += INVOCATIONS) {
    let i = turn + index;
    if (i < KEYS * DEPTH) {
      let row = key_row(tile, min(first + i / DEPTH, end - 1u));
      staged[i / DEPTH * LINE + i % DEPTH] = load_k(row, head / params.group, d + i % DEPTH);
    }
  }
}

// Values of the keys `first`, LANES + `first`, ..., and so on for STEPS steps.
fn stage_values(tile: Tile, head: u32, first: u32, end: u32, index: u32) {
  for (var turn = 0u; turn < 4u * STEPS * WIDTH; turn += INVOCATIONS) {
    let i = turn + index;
    if (i < 4u * STEPS * WIDTH) {
      let key = first + i / WIDTH % 4u * LANES + i / WIDTH / 4u;
      staged[i] = load_v(key_row(tile, min(key, end - 1u)), head / params.group, i % WIDTH);
    }
  }
}

// Products of the queries become weights: relative to the highest score so far, not yet to their sum. Loops over rows, since
// a bias makes much code.
fn soften(tile: Tile, head: u32, first: u32, end: u32, own: u32, index: u32) {
  let lane = index % LANES;
  let rows = min(own + EACH, tile.rows);
  for (var row = own; row < rows; row++) {
    let at = row * LANES + lane;
    let score = scores_of(weights[at], tile, head, row, first + lane, end);
    weights[at] = score;
    partial[at] = max(max(score.x, score.y), max(score.z, score.w));
  }
  workgroupBarrier();
  if (index < tile.rows) {
    var most = highest[index];
    for (var i = 0u; i < LANES; i++) { most = max(most, partial[index * LANES + i]); }
    kept[index] = exp_or_zero(highest[index] - most);
    highest[index] = most;
  }
  workgroupBarrier();
  for (var row = own; row < rows; row++) {
    let at = row * LANES + lane;
    let weight = weights_of(weights[at], highest[row]);
    weights[at] = weight;
    partial[at] = weight.x + weight.y + weight.z + weight.w;
  }
  workgroupBarrier();
  if (index < tile.rows) {
    var total = totals[index] * kept[index];
    for (var i = 0u; i < LANES; i++) { total += partial[index * LANES + i]; }
    totals[index] = total;
  }
}

// Scores of the keys `key`, LANES + `key`, ..., LOWEST where the row does not see the key.
fn scores_of(products: vec4f, tile: Tile, head: u32, row: u32, key: u32, end: u32) -> vec4f {
  let seen = keys_of(tile, row);
  let keys = key + LANES * vec4u(0u, 1u, 2u, 3u);
  let near = min(keys, vec4u(end - 1u));
  let scores = products * params.scale;
  let finished = vec4f(
    biased(scores.x, tile, head, row, near.x),
    biased(scores.y, tile, head, row, near.y),
    biased(scores.z, tile, head, row, near.z),
    biased(scores.w, tile, head, row, near.w),
  );
  return select(vec4f(LOWEST), finished, (keys >= vec4u(seen.x)) & (keys < vec4u(seen.y)));
}

fn weights_of(scores: vec4f, highest: f32) -> vec4f {
  let x = scores - highest;
  let weights = vec4f(exp_or_zero(x.x), exp_or_zero(x.y), exp_or_zero(x.z), exp_or_zero(x.w));
  return select(vec4f(), weights, scores > vec4f(LOWEST));
}

// sum + a · b, in the order of the columns.
fn add_products(sum: f32, a: vec4f, b: vec4f) -> f32 {
  return fma(a.w, b.w, fma(a.z, b.z, fma(a.y, b.y, fma(a.x, b.x, sum))));
}
