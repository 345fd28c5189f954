// needs: LANES
// Sums over LANES invocations (a power of two) by a tree in workgroup memory, in an order that is always the same.
var<workgroup> partial: array<f32, LANES>;

fn reduce_sum(value: f32, lane: u32) -> f32 {
  partial[lane] = value;
  workgroupBarrier();
  for (var half = LANES / 2u; half > 0u; half /= 2u) {
    if (lane < half) { partial[lane] += partial[lane + half]; }
    workgroupBarrier();
  }
  let sum = partial[0];
  workgroupBarrier();
  return sum;
}
