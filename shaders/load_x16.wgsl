// needs: T, QUAD
// The tiled linear kernel's x, as load_x.wgsl has it, where rows are whole sixteens: no step reaches beyond their ends. Words,
// because some drivers load what is declared in f16 number by number.
alias Numbers = QUAD; // of x, as they are read: the words of four
fn x_line(row: u32) -> u32 { return row * (params.inner / 4u); }
fn fetch_x(start: u32, quad: u32) -> QUAD { return x[start + quad]; }
fn x_within(words: QUAD, _quad: u32) -> vec4f { return vec4f(bitcast<vec4<T>>(words)); }
