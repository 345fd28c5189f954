// The tiled linear kernel's weights: four neighbours along k. `params` and `weight`, here [columns, quads], are the kernel's.
alias Words = Weights4; // of weight, as they are read

// Where a column starts.
fn weight_line(column: u32) -> u32 { return column * ((params.inner + 3u) / 4u); }

// Weights from 4 * quad on of the column, as they are stored.
fn fetch_weight(start: u32, quad: u32) -> Weights4 { return weight[start + quad]; }

fn unpack_weight(fetched: Weights4, _quad: u32) -> vec4f { return unpack4(fetched); }
