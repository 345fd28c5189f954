// @ts-check
// How fast texts become token ids, with XLM-R's vocabulary (unigram), BERT's (WordPiece), RoBERTa's (byte-level BPE),
// Mistral's and, on request, Gemma's (BPE): ours, sentencepiece-js and, on request, Hugging Face's tokenizers (Rust, one thread). Figures are MB of
// UTF-8 per second of CPU time: the best of the rounds, taken in turns, in which the texts come again and again; and the first time that a
// new tokenizer sees them, in a process that is warm. And the CPU time of loading.
import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { gunzipSync } from 'node:zlib'
import { SentencePieceProcessor } from 'sentencepiece-js'
import { Tokenizer } from '../dist/index.js'
import { fetchTokenizer } from '../test/tokenizers/fetch-tokenizer.mjs'
import { timed } from './measure.mjs'
import { digest } from './record.mjs'
import { grid, showCores } from './report.mjs'
import { root } from './turns.mjs'

const seconds = 1

/**
 * @typedef {{ rounds: number, python?: string, gemma?: string, texts?: string[] }} Options python: an interpreter that has
 * the package tokenizers; gemma: a tokenizer.json of Gemma, or `fetch`; texts: files to tokenize
 * @typedef {{ title: string, texts: string[] }} TextSet
 * @typedef {{ name: string, json: string, model?: string, config?: string }} Vocabulary where its tokenizer.json is, and a
 * SentencePiece model with its config where there is one
 */

const fixture = (/** @type {string} */ path) => join(root, 'test', 'fixtures', path)
const read = (/** @type {string} */ path) =>
  path.endsWith('.gz') ? gunzipSync(readFileSync(path)) : readFileSync(path)
const linesOf = (/** @type {string} */ path) => read(path).toString().split('\n').filter(Boolean)

/** @param {string} path .jsonl (member "text" of every line) or one text a line; .gz is unpacked */
function textsOf(path) {
  const isJson = /\.jsonl(\.gz)?$/.test(path)
  return linesOf(path).map((line) => (isJson ? JSON.parse(line).text : line))
}

/** The few Chinese sentences of the tokenizer fixtures, repeated. */
function chinese() {
  const lines = linesOf(fixture('tokenizers/xlm-roberta/fixtures.jsonl.gz'))
  const found = lines
    .map((line) => JSON.parse(line))
    .filter(({ tag }) => tag?.startsWith('faker:zh'))
  return Array.from({ length: 800 }, (_, i) => found[i % found.length].text)
}

/** @param {readonly string[]} files @returns {TextSet[]} */
function textSets(files) {
  if (files.length > 0)
    return files.map((path) => ({ title: basename(path), texts: textsOf(path) }))
  return [
    { title: 'English', texts: textsOf(fixture('beir/squad-dev-hard/corpus.jsonl.gz')) },
    { title: 'Chinese, repeated', texts: chinese() },
  ]
}

/** @param {string | undefined} gemma @returns {Vocabulary[]} */
function vocabularies(gemma) {
  const xlmR = fixture('tokenizers/xlm-roberta')
  const mistral = fixture('tokenizers/mistral-v1')
  return [
    {
      name: 'XLM-R',
      json: join(xlmR, 'tokenizer.json.gz'),
      model: join(xlmR, 'sentencepiece.bpe.model.gz'),
      config: join(xlmR, 'tokenizer_config.json'),
    },
    {
      name: 'Mistral',
      json: join(mistral, 'tokenizer.json.gz'),
      model: join(mistral, 'tokenizer.model.gz'),
      config: join(mistral, 'tokenizer_config.json'),
    },
    { name: 'BERT', json: fixture('tokenizers/bert-uncased/tokenizer.json.gz') },
    { name: 'RoBERTa', json: fixture('tokenizers/roberta-base/tokenizer.json.gz') },
    ...(gemma
      ? [{ name: 'Gemma', json: gemma === 'fetch' ? fetchTokenizer('gemma') : gemma }]
      : []),
  ]
}

const cpuSeconds = () => {
  const { user, system } = process.cpuUsage()
  return (user + system) / 1e6
}

const bytesOf = (/** @type {readonly string[]} */ texts) =>
  texts.reduce((sum, text) => sum + Buffer.byteLength(text), 0)

/**
 * MB/s of one round: the texts again and again until a second of CPU time is over.
 * @param {(text: string) => unknown} encode
 * @param {readonly string[]} texts
 */
function speedOf(encode, texts) {
  const start = cpuSeconds()
  let rounds = 0
  do {
    for (const text of texts) encode(text)
    rounds++
  } while (cpuSeconds() - start < seconds)
  return (bytesOf(texts) * rounds) / (cpuSeconds() - start) / 1e6
}

const pythonCode = `
import json, sys, time
from tokenizers import Tokenizer, __version__
tokenizer = Tokenizer.from_file(sys.argv[1])
tokenizer.no_truncation()
tokenizer.no_padding()
texts = json.load(open(sys.argv[2], encoding="utf-8"))
size = sum(len(text.encode()) for text in texts)
start, rounds = time.process_time(), 0
while time.process_time() - start < ${seconds}:
    for text in texts:
        tokenizer.encode(text, add_special_tokens=False).ids
    rounds += 1
speed = size * rounds / (time.process_time() - start) / 1e6
print(json.dumps({"version": __version__, "speed": speed, "cpuSeconds": time.process_time()}))
`

/**
 * MB/s of one round of Hugging Face's tokenizers.
 * @param {string} python
 * @param {string} tokenizer the path of tokenizer.json
 * @param {string} texts the path of a JSON list
 * @returns {{ version: string, speed: number, cpuSeconds: number }}
 */
function huggingFaceSpeed(python, tokenizer, texts) {
  const { status, stdout, stderr, error } = spawnSync(
    python,
    ['-c', pythonCode, tokenizer, texts],
    {
      encoding: 'utf8',
    },
  )
  if (status !== 0) throw new Error(`--python ${python}: ${stderr || error}`)
  return JSON.parse(stdout)
}

/**
 * CPU seconds of the same load twice: in the second one the code is warm.
 * @param {string} path
 */
async function loadTimes(path) {
  const times = []
  for (let round = 0; round < 2; round++) {
    const start = cpuSeconds()
    await Tokenizer.load(path)
    times.push(cpuSeconds() - start)
  }
  return times
}

/**
 * MB/s of the first time that a new tokenizer sees the texts.
 * @param {string} path
 * @param {readonly string[]} texts
 */
async function firstSpeedOf(path, texts) {
  const tokenizer = await Tokenizer.load(path)
  const start = cpuSeconds()
  for (const text of texts) tokenizer.encode(text)
  return bytesOf(texts) / (cpuSeconds() - start) / 1e6
}

/**
 * One vocabulary on all texts: the figures, and the CPU time of processes of their own.
 * @param {Vocabulary} vocabulary
 * @param {readonly TextSet[]} sets
 * @param {Options} options
 * @param {string} folder for its files
 * @returns {Promise<{ figures: Record<string, import('./record.mjs').Figure>, childSeconds: number }>}
 */
async function measure({ name, json, model, config }, sets, { python, rounds }, folder) {
  let childSeconds = 0
  const speed = (/** @type {number} */ value) => ({ value, unit: 'MB/s' })
  const path = join(folder, 'tokenizer.json')
  writeFileSync(path, read(json))
  const loads = await loadTimes(path)
  const ours = await Tokenizer.load(path)
  let processor
  if (model && config) {
    const modelPath = join(folder, 'tokenizer.model')
    writeFileSync(modelPath, read(model))
    writeFileSync(join(folder, 'tokenizer_config.json'), read(config))
    loads.push(...(await loadTimes(modelPath)))
    processor = new SentencePieceProcessor()
    await processor.load(modelPath)
  }
  const ms = loads.map((found) => `${(1000 * found).toFixed(0)} ms`)
  console.log(
    `\n${name}: tokenizer.json loads in ${ms[0]}, warm ${ms[1]}` +
      (ms[2] ? `; the SentencePiece model in ${ms[2]}, warm ${ms[3]}` : ''),
  )
  /** @type {Record<string, import('./record.mjs').Figure>} */
  const figures = {}
  const rows = []
  for (const { title, texts } of sets) {
    const textsPath = join(folder, 'texts.json')
    writeFileSync(textsPath, JSON.stringify(texts))
    /** @type {Record<string, number>} */
    const best = { dawnrank: 0 }
    const keep = (/** @type {string} */ who, /** @type {number} */ found) => {
      best[who] = Math.max(best[who] ?? 0, found)
    }
    for (let round = 0; round < rounds; round++) {
      keep(
        'dawnrank',
        speedOf((text) => ours.encode(text), texts),
      )
      const sentencePiece = processor
      if (sentencePiece) {
        keep(
          'sentencepiece-js',
          speedOf((text) => sentencePiece.encodeIds(text), texts),
        )
      }
      if (python) {
        const found = huggingFaceSpeed(python, path, textsPath)
        childSeconds += found.cpuSeconds
        keep(`Hugging Face tokenizers ${found.version}`, found.speed)
      }
    }
    const first = await firstSpeedOf(path, texts)
    for (const [who, value] of Object.entries(best)) {
      figures[`${name}, ${title}, ${who}`] = speed(value)
      const ratio = (best.dawnrank ?? 0) / value
      rows.push([title, who, value.toFixed(2), who === 'dawnrank' ? '' : ratio.toFixed(1)])
    }
    figures[`${name}, ${title}, dawnrank the first time`] = speed(first)
    rows.push([title, 'dawnrank, the first time', first.toFixed(2), ''])
  }
  console.log(grid(['texts', '', 'MB/s', 'dawnrank is faster by'], rows, 2))
  return { figures, childSeconds }
}

/**
 * @param {import('./record.mjs').Recorder} recorder
 * @param {Options} options
 */
export async function benchTokenizers(recorder, options) {
  const sets = textSets(options.texts ?? [])
  const workload = Object.fromEntries(
    sets.map(({ title, texts }) => [
      title,
      `${texts.length} texts, ${bytesOf(texts)} bytes, ${digest(texts.join('\n'))}`,
    ]),
  )
  recorder.begin('tokenizers', workload)
  console.log('\nbench: tokenizers')
  for (const [title, what] of Object.entries(workload)) console.log(`bench: ${title}: ${what}`)
  const { result, timing } = await timed(async () => {
    const found = []
    for (const vocabulary of vocabularies(options.gemma)) {
      const folder = mkdtempSync(join(tmpdir(), 'dawnrank-bench-'))
      try {
        found.push(await measure(vocabulary, sets, options, folder))
      } finally {
        rmSync(folder, { recursive: true })
      }
    }
    return found
  })
  const childMs = 1000 * result.reduce((sum, { childSeconds }) => sum + childSeconds, 0)
  const otherCores = timing.others && Math.max(0, timing.others - childMs / timing.ms)
  console.log(
    `MB of UTF-8 per second of one core; the best of the rounds (${options.rounds}). other cores: ${showCores(otherCores)}`,
  )
  recorder.keep('tokenizers', 'tokenizers', {
    workload,
    figures: Object.assign({}, ...result.map(({ figures }) => figures)),
    otherCores,
    details: { rounds: options.rounds },
  })
}
