// needs: T
// The tiled linear kernel's x: four neighbours along k. Rows may have any length.
alias Numbers = T; // of x, as they are read

// Where a row starts.
fn x_line(row: u32) -> u32 { return row * params.inner; }

// Numbers from 4 * quad on of the row; zeros beyond its end.
fn fetch_x(start: u32, quad: u32) -> vec4<T> {
  let at = start + 4u * quad;
  let count = params.inner - 4u * quad;
  let last = params.inner - 1u - 4u * quad;
  let numbers = vec4<T>(x[at], x[at + min(1u, last)], x[at + min(2u, last)], x[at + min(3u, last)]);
  return select(vec4<T>(), numbers, vec4u(0u, 1u, 2u, 3u) < vec4u(count));
}

// Numbers from 4 * quad on of a row: zeros where that is beyond its end, whatever was loaded.
fn x_within(numbers: vec4<T>, quad: u32) -> vec4f { return select(vec4f(), vec4f(numbers), 4u * quad < params.inner); }
