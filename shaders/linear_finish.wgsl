// What the linear kernels do with a finished sum: bias, activation, scale, then another tensor added (1) or multiplied
// with (2). `params`, `bias`, `other` and `y` are the kernel's.
fn bias_of(column: u32) -> f32 {
  if (params.has_bias == 0u) { return 0.0; }
  return bias[min(column, params.columns - 1u)];
}

fn finish(row: u32, column: u32, sum: f32) {
  if (row >= params.rows || column >= params.columns) { return; }
  let at = row * params.columns + column;
  var value = activate(sum, params.activation) * params.scale;
  if (params.combine == 1u) { value += f32(other[at]); }
  if (params.combine == 2u) { value *= f32(other[at]); }
  y[at] = Y(value);
}
