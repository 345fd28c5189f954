// needs: BITS, GROUP
// The tiled linear kernel's weights, as load_weight.wgsl has them, from weights in groups: `weight` is [columns, groups].
alias Words = u32; // of weight, as they are read

struct Fetched { numbers: u32, scale: u32 }

fn weight_line(column: u32) -> u32 { return column * ((params.inner + GROUP - 1u) / GROUP * (1u + BITS)); }

fn fetch_weight(start: u32, quad: u32) -> Fetched {
  let group = start + quad / (GROUP / 4u) * (1u + BITS);
  return Fetched(weight[group + 1u + (quad & (GROUP / 4u - 1u)) / (WORD / 4u)], weight[group]);
}

// `quad` may be any of the same place in a word.
fn unpack_weight(fetched: Fetched, quad: u32) -> vec4f {
  let scale = unpack_scale(fetched.scale);
  if (BITS == 8u) { return unpack4(fetched.numbers, 0u, scale); }
  // Without a conversion, which GPUs do slowly and of whole words: a number is put where the last bits of a float of this
  // size have its value, and the size subtracted.
  let place = 4u * vec4u(0u, 1u, 2u, 3u);
  let size = (vec4u(150u) - place) << vec4u(23u);
  let word = vec4u(fetched.numbers >> (16u * (quad & 1u)));
  let numbers = bitcast<vec4f>((word & (vec4u(15u) << place)) | size) - bitcast<vec4f>(size);
  return fma(numbers, vec4f(scale.x), vec4f(scale.y));
}
