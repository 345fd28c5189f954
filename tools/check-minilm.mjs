// @ts-check
// npm run check:minilm: all-MiniLM-L6-v2 against what sentence-transformers gave for 60 texts, as it is embedded, quantized, and as
// it was published (91 MB, fetched once into ~/.cache/dawnrank).
import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { Embedder } from '../dist/index.js'

const leastCosine = 0.99999
const fixture = new URL('../test/fixtures/all-minilm-l6-v2/fixtures.json', import.meta.url)
const { cases, similarity } = JSON.parse(readFileSync(fixture, 'utf8'))

/** The indices of the ten largest numbers, ties by index. */
const topTen = (/** @type {readonly number[]} */ row) =>
  row
    .map((score, index) => ({ score, index }))
    .sort((a, b) => b.score - a.score || a.index - b.index)
    .slice(0, 10)
    .map(({ index }) => index)

/** How an embedder's vectors compare: the smallest cosine, and queries whose top ten is another. */
async function compare(/** @type {string | undefined} */ place, /** @type {object} */ options) {
  const embedder = await Embedder.load(place, options)
  try {
    const begun = performance.now()
    const texts = cases.map((/** @type {{ text: string }} */ one) => one.text)
    const found = await embedder.embed(texts)
    const seconds = (performance.now() - begun) / 1000
    const cosines = cases.map(
      (/** @type {{ embedding: number[] }} */ { embedding }, /** @type {number} */ i) =>
        embedder.similarity(found[i], Float32Array.from(embedding)),
    )
    const wrongIds = cases.filter(
      (/** @type {{ text: string, input_ids: number[] }} */ { text, input_ids }) =>
        String(embedder.tokenize(text)) !== String(input_ids),
    ).length
    const others = similarity.matrix.filter(
      (/** @type {number[]} */ row, /** @type {number} */ i) => {
        const own = found.map((other) => embedder.similarity(found[i], other))
        return String(topTen(own)) !== String(topTen(row))
      },
    ).length
    return { cosine: Math.min(...cosines), wrongIds, others, seconds }
  } finally {
    embedder.dispose()
  }
}

const published = join(homedir(), '.cache', 'dawnrank', 'all-minilm-l6-v2')
const fetchScript = fileURLToPath(new URL('minilm/fetch.sh', import.meta.url))
const hasPublished =
  spawnSync('bash', [fetchScript, published], { stdio: ['ignore', 'ignore', 'inherit'] }).status ===
  0
if (!hasPublished) console.error('the published weights could not be fetched: they are left out')

/** Each run, and whether it must pass: quantized weights are reported alone. */
const runs = [
  { name: 'embedded, f16', place: undefined, options: {}, counts: true },
  { name: 'embedded, int8', place: undefined, options: { dtype: 'int8' }, counts: false },
  ...(hasPublished
    ? [{ name: 'published, f32', place: published, options: { dtype: 'f32' }, counts: true }]
    : []),
]
for (const { name, place, options, counts } of runs) {
  const { cosine, wrongIds, others, seconds } = await compare(place, options)
  const passes = cosine > leastCosine && wrongIds === 0 && others === 0
  if (counts && !passes) process.exitCode = 1
  console.log(
    `${name}: smallest cosine ${cosine.toFixed(8)}, ${wrongIds} of ${cases.length} texts with other ids, ${others} of ${similarity.matrix.length} queries with another top 10, ${seconds.toFixed(1)} s${counts ? (passes ? ', passes' : ', FAILS') : ''}`,
  )
}
