// needs: Y, WIDTH
// What the linear kernels do with a finished sum: bias, activation, scale, then another tensor added (1) or multiplied
// with (2). `params`, `bias`, `other` and `y` are the kernel's.
//
// Up to three layers that read the same x are one launch. Their weights and biases lie side by side, each filled up to whole
// tiles of WIDTH columns, the first at tile `first_tile`; each has its own place in y.
struct Part { start: u32, columns: u32, y: u32 } // the column of the launch and the number of y that it starts at

fn part_of(tile: u32) -> Part {
  let second = (params.columns + WIDTH - 1u) / WIDTH;
  let third = second + (params.columns_1 + WIDTH - 1u) / WIDTH;
  if (tile < second) { return Part(0u, params.columns, 0u); }
  if (tile < third) { return Part(second * WIDTH, params.columns_1, params.y_1); }
  return Part(third * WIDTH, params.columns_2, params.y_2);
}

fn bias_of(column: u32) -> f32 {
  if (params.has_bias == 0u) { return 0.0; }
  return bias[params.first_tile * WIDTH + column];
}

fn finish(part: Part, row: u32, column: u32, sum: f32) {
  let own = column - part.start;
  if (row >= params.rows || own >= part.columns) { return; }
  let at = part.y + row * part.columns + own;
  var value = activate(sum, params.activation) * params.scale;
  if (params.combine == 1u) { value += f32(other[at]); }
  if (params.combine == 2u) { value *= f32(other[at]); }
  y[at] = Y(value);
}
