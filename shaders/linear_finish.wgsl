// What the linear kernels do with a finished sum. `params`, `bias`, `residual` and `y` are the kernel's.
fn finish(row: u32, column: u32, sum: f32) {
  if (row >= params.rows || column >= params.columns) { return; }
  let at = row * params.columns + column;
  var value = sum;
  if (params.has_bias != 0u) { value += bias[column]; }
  value = activate(value, params.activation);
  if (params.has_residual != 0u) { value += f32(residual[at]); }
  y[at] = Y(value);
}
