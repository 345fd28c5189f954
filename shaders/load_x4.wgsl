// needs: T
// The tiled linear kernel's x, as load_x.wgsl has it, where rows are whole fours.
alias Numbers = vec4<T>; // of x, as they are read
fn x_line(row: u32) -> u32 { return row * (params.inner / 4u); }
fn fetch_x(start: u32, quad: u32) -> vec4<T> { return x[start + quad]; }
fn x_within(numbers: vec4<T>, quad: u32) -> vec4f { return select(vec4f(), vec4f(numbers), 4u * quad < params.inner); }
