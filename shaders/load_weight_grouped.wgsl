// needs: BITS, GROUP
// The tiled linear kernel's weights, as load_weight.wgsl has them, from weights in groups: `weight` is [columns, groups].
alias Words = u32; // of weight, as they are read

struct Fetched { numbers: u32, scale: u32 }

fn weight_line(column: u32) -> u32 { return column * ((params.inner + GROUP - 1u) / GROUP) * (1u + BITS); }

fn fetch_weight(start: u32, quad: u32) -> Fetched {
  let group = start + 4u * quad / GROUP * (1u + BITS);
  return Fetched(weight[group + 1u + 4u * quad % GROUP / WORD], weight[group]);
}

// `quad` may be any of the same place in a word.
fn unpack_weight(fetched: Fetched, quad: u32) -> vec4f {
  return unpack4(fetched.numbers >> (BITS * (4u * quad % WORD)), 0u, unpack_scale(fetched.scale));
}
