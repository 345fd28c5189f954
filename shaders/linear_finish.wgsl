// needs: Y, WIDTH
// What the linear kernels do with a finished sum: bias, activation, scale, then another tensor added (1) or multiplied
// with (2). `params`, `bias`, `other` and `y` are the kernel's.
//
// Up to three layers that read the same x are one launch. Their weights and biases lie side by side, each filled up to whole
// tiles of WIDTH columns, the first at tile `first_tile`; each has its own place in y.
//
// Products and sums are fused where they could be, so that every compiler and every kernel gives the same bits.

// A layer of a launch: the column of the launch that it starts at, its columns, the number of y that it starts at, and the
// first column of the launch that a workgroup makes.
struct Part { start: u32, columns: u32, y: u32, first: u32 }

fn filled(columns: u32, width: u32) -> u32 { return (columns + width - 1u) / width; }

// The part that the workgroup makes which is the `tile`th of those that make `width` columns each.
fn part_at(tile: u32, width: u32) -> Part {
  let second = filled(params.columns, width);
  let third = second + filled(params.columns_1, width);
  if (tile < second) { return Part(0u, params.columns, 0u, tile * width); }
  let start_1 = filled(params.columns, WIDTH) * WIDTH;
  if (tile < third) { return Part(start_1, params.columns_1, params.y_1, start_1 + (tile - second) * width); }
  let start_2 = start_1 + filled(params.columns_1, WIDTH) * WIDTH;
  return Part(start_2, params.columns_2, params.y_2, start_2 + (tile - third) * width);
}

fn part_of(tile: u32) -> Part { return part_at(tile, WIDTH); }

fn bias_of(column: u32) -> f32 {
  if (params.has_bias == 0u) { return 0.0; }
  return bias[params.first_tile * WIDTH + column];
}

fn finish(part: Part, row: u32, column: u32, sum: f32) {
  let own = column - part.start;
  if (row >= params.rows || own >= part.columns) { return; }
  let at = part.y + row * part.columns + own;
  let value = activate(sum, params.activation);
  var finished = value * params.scale;
  if (params.combine == 1u) { finished = fma(value, params.scale, f32(other[at])); }
  if (params.combine == 2u) { finished *= f32(other[at]); }
  y[at] = Y(finished);
}
