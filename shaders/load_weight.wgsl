// The tiled linear kernel's weights: four neighbours along k, from 4 * quad on, of a column. `params` and `weight`, here
// [columns, quads], are the kernel's.
fn load_weight(column: u32, quad: u32) -> vec4f {
  let quads = (params.inner + 3u) / 4u;
  if (quad >= quads) { return vec4f(); }
  return unpack4(weight[column * quads + quad]);
}
