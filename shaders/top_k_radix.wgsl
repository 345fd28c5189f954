// y[r] = the k largest numbers of row r of x, in the order of their columns: column and bits of each. Of equal numbers those of
// lower columns. A workgroup for each row finds the k-th largest number, 8 bits of its order at a time, then collects.
// x: f32 [rows, columns], 1 <= k <= columns   y: u32 [rows, k, 2]
struct Params { columns: u32, k: u32 }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read_write> y: array<u32>;

const LANES = 256u; // as many as there are values of 8 bits
var<workgroup> counts: array<atomic<u32>, LANES>; // of each value of 8 bits among the numbers that agree above them
var<workgroup> larger: array<u32, LANES>; // numbers of each invocation's columns above the k-th largest
var<workgroup> equal: array<u32, LANES>; // and those that are equal to it
var<workgroup> found: u32; // the bits of the k-th largest that are known
var<workgroup> left: u32; // how many are still to be taken of those that agree with it

// Whole numbers in the order of the numbers; both zeros are equal.
fn order(at: u32) -> u32 {
  let bits = bitcast<u32>(x[at]);
  if (bits == 0x80000000u) { return bits; }
  return select(bits | 0x80000000u, ~bits, bits >= 0x80000000u);
}

@compute @workgroup_size(LANES)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  let start = group.x * params.columns;
  let end = start + params.columns;
  if (lane == 0u) {
    found = 0u;
    left = params.k;
  }
  for (var step = 0u; step < 4u; step++) {
    let shift = 24u - 8u * step;
    atomicStore(&counts[lane], 0u);
    workgroupBarrier();
    let above = (found >> shift) >> 8u;
    for (var at = start + lane; at < end; at += LANES) {
      let part = order(at) >> shift;
      if ((part >> 8u) == above) { atomicAdd(&counts[part % LANES], 1u); }
    }
    workgroupBarrier();
    if (lane == 0u) {
      var value = LANES - 1u;
      for (; value > 0u; value--) {
        let count = atomicLoad(&counts[value]);
        if (count >= left) { break; }
        left -= count;
      }
      found |= value << shift;
    }
    workgroupBarrier();
  }

  // Each invocation collects from columns side by side, after those of the invocations before it.
  let share = (params.columns + LANES - 1u) / LANES;
  let first = min(start + lane * share, end);
  let last = min(first + share, end);
  var own_larger = 0u;
  var own_equal = 0u;
  for (var at = first; at < last; at++) {
    let value = order(at);
    own_larger += u32(value > found);
    own_equal += u32(value == found);
  }
  larger[lane] = own_larger;
  equal[lane] = own_equal;
  workgroupBarrier();
  var equals = 0u;
  var place = 0u;
  for (var before = 0u; before < lane; before++) {
    equals += equal[before];
    place += larger[before];
  }
  place += min(equals, left);
  for (var at = first; at < last; at++) {
    let value = order(at);
    let is_taken = value > found || (value == found && equals < left);
    equals += u32(value == found);
    if (!is_taken) { continue; }
    let to = 2u * (group.x * params.k + place);
    y[to] = at - start;
    y[to + 1u] = bitcast<u32>(x[at]);
    place++;
  }
}
