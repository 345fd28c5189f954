// What the scored token looks at: for each layer the tokens with the most attention, mean over heads.
//   node examples/layers/attention.mjs [model folder or name]
import { Reranker } from 'dawnrank'

const query = 'what is panda?'
const passage = 'The giant panda is a bear that eats bamboo in the mountains of China.'

const reranker = await Reranker.load(process.argv[2])
const layers = Array.from({ length: reranker.info.sizes.layers }, (_, i) => i + 1)
const [{ ids, heads, layers: maps }] = await reranker.attentionMaps([[query, passage]], layers)
const tokens = ids.length
const pieces = reranker.tokenizer.pieces(ids)

// Encoders score the first token, decoders the last one.
const isDecoder = maps[1].slice(1, tokens).every((p) => p === 0)
const row = isDecoder ? tokens - 1 : 0

for (const layer of layers) {
  const mean = new Float64Array(tokens)
  for (let head = 0; head < heads; head++) {
    const start = (head * tokens + row) * tokens
    for (let key = 0; key < tokens; key++) mean[key] += maps[layer][start + key] / heads
  }
  const top = Array.from(mean, (p, key) => ({ p, piece: pieces[key] }))
    .sort((a, b) => b.p - a.p)
    .slice(0, 5)
  console.log(`layer ${layer}: ${top.map(({ p, piece }) => `${piece} ${p.toFixed(3)}`).join('  ')}`)
}
reranker.dispose()
