// needs: BITS, GROUP
// The tiled linear kernel's weights, as load_weight.wgsl has them, from weights in groups: `weight` is [columns, groups].
// What lies past the end of a row is not zero: x is.
fn load_weight(column: u32, quad: u32) -> vec4f {
  if (4u * quad >= params.inner) { return vec4f(); }
  let groups = (params.inner + GROUP - 1u) / GROUP;
  let group = column * groups + 4u * quad / GROUP;
  let start = group * (1u + BITS);
  let k = 4u * quad % GROUP;
  return unpack4(weight[start + 1u + k / WORD], k % WORD / 4u, unpack_scale(weight[start]));
}
