// needs: BITS, GROUP
// Rows of a table, gathered for the tokens at hand, in groups as weights_grouped.wgsl has them: [tokens, groups]. `params` and
// `rows` are the kernel's.
alias Words = u32; // of rows, as they are read

fn row_pair(token: u32, pair: u32) -> vec2f {
  let groups = (params.width + GROUP - 1u) / GROUP;
  let group = (token * groups + 2u * pair / GROUP) * (1u + BITS);
  let bit = 2u * pair % GROUP * BITS;
  let numbers = (vec2u(rows[group + 1u + bit / 32u]) >> (vec2u(bit % 32u) + vec2u(0u, BITS))) & vec2u((1u << BITS) - 1u);
  let scale = bitcast<vec2f>(vec2u(rows[group] << 16u, rows[group] & 0xffff0000u));
  return fma(vec2f(numbers), vec2f(scale.x), vec2f(scale.y));
}
