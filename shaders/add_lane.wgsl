// sum + the terms, each times a number of a lane's four.
fn add_lane(sum: vec4f, numbers: vec4f, lane: u32, terms: mat4x4f) -> vec4f {
  let first = fma(vec4f(subgroupShuffle(numbers.x, lane)), terms[0], sum);
  let second = fma(vec4f(subgroupShuffle(numbers.y, lane)), terms[1], first);
  let third = fma(vec4f(subgroupShuffle(numbers.z, lane)), terms[2], second);
  return fma(vec4f(subgroupShuffle(numbers.w, lane)), terms[3], third);
}
