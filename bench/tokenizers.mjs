// How fast texts become token ids with XLM-R's vocabulary: ours, sentencepiece-js and, on request, Hugging
// Face's tokenizers (Rust, one thread).
//   npm run build && node bench/tokenizers.mjs [--python PYTHON] [FILE...]
// FILE: .jsonl (member "text" of every line) or one text a line; .gz is unpacked. Without one: the English passages
// of test/fixtures/beir/squad-dev-hard, and the few Chinese sentences of the tokenizer fixtures, repeated.
// PYTHON: an interpreter that has the package tokenizers.
// Prints MB of UTF-8 per second of CPU time, the best of three rounds taken in turns, and load times.
import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { gunzipSync } from 'node:zlib'
import { SentencePieceProcessor } from 'sentencepiece-js'
import { Tokenizer } from '../dist/index.js'

const ROUNDS = 3
const SECONDS = 1

const { values, positionals } = parseArgs({
  options: { python: { type: 'string' } },
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

const folder = mkdtempSync(join(tmpdir(), 'dawnrank-bench-'))
try {
  const unpack = (name) =>
    writeFileSync(join(folder, name), read(fixture(`tokenizers/xlm-roberta/${name}.gz`)))
  unpack('tokenizer.json')
  unpack('sentencepiece.bpe.model')
  writeFileSync(
    join(folder, 'tokenizer_config.json'),
    read(fixture('tokenizers/xlm-roberta/tokenizer_config.json')),
  )
  writeFileSync(join(folder, 'texts.json'), JSON.stringify(sets.map(([, texts]) => texts)))

  const load = async (name) => {
    const start = performance.now()
    const tokenizer = await Tokenizer.load(join(folder, name))
    console.log(`load ${name}: ${(performance.now() - start).toFixed(0)} ms`)
    return tokenizer
  }
  const ours = await load('tokenizer.json')
  await load('sentencepiece.bpe.model')
  const processor = new SentencePieceProcessor()
  await processor.load(join(folder, 'sentencepiece.bpe.model'))

  let python
  if (values.python) {
    const answer = spawnSync(values.python, ['-c', PYTHON, folder], { encoding: 'utf8' })
    if (answer.status !== 0) throw new Error(`${values.python}: ${answer.stderr || answer.error}`)
    python = JSON.parse(answer.stdout)
  }

  for (const [i, [name, texts]] of sets.entries()) {
    let best = { ours: 0, theirs: 0 }
    let size
    for (let round = 0; round < ROUNDS; round++) {
      size = speedOf((text) => ours.encode(text), texts)
      const theirs = speedOf((text) => processor.encodeIds(text), texts)
      best = {
        ours: Math.max(best.ours, size.speed),
        theirs: Math.max(best.theirs, theirs.speed),
      }
    }
    console.log(`\n${name}: ${texts.length} texts, ${size.bytes} bytes, ${size.tokens} tokens`)
    const row = (who, speed) =>
      console.log(
        `  ${who.padEnd(32)} ${speed.toFixed(2).padStart(6)} MB/s   ours is ${(best.ours / speed).toFixed(1)} times as fast`,
      )
    console.log(`  ${'dawnrank'.padEnd(32)} ${best.ours.toFixed(2).padStart(6)} MB/s`)
    row('sentencepiece-js', best.theirs)
    if (python) row(`Hugging Face tokenizers ${python.version}`, python.speeds[i])
  }
} finally {
  rmSync(folder, { recursive: true })
}
