/**
 * The names under which a checkpoint may hold a tensor, as transformers renames on load: with or without what the model's
 * class calls its backbone (`base_model_prefix`) in front, and `gamma` and `beta` of older norms. The name itself comes first.
 *
 * @param backbone such as `roberta`; empty where there is none
 */
export function spellings(name: string, backbone = ''): string[] {
  const front = backbone && `${backbone}.`
  const placed = front ? [name, `${front}${name}`] : [name]
  if (front && name.startsWith(front)) placed.push(name.slice(front.length))
  return [...placed, ...placed.map(older).filter((old) => old !== undefined)]
}

const olderEnds = { weight: 'gamma', bias: 'beta' } as const

function older(name: string): string | undefined {
  const [, stem, end] = /^(.+\.)(weight|bias)$/.exec(name) ?? []
  return end && `${stem}${olderEnds[end as keyof typeof olderEnds]}`
}
