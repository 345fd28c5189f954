// `npm start`: reranks real passages in several languages with the embedded model.
import { tmpdir } from 'node:os'
import { styleText } from 'node:util'
import { FlagReranker } from '../dist/index.js'
import { questions } from './demo-texts.mjs'

/** Columns that a line may take. */
const lineWidth = 80
const colours = (process.stdout.isTTY || process.env.FORCE_COLOR) && !process.env.NO_COLOR

/**
 * @param {Parameters<typeof styleText>[0]} format
 * @param {string} text
 */
const style = (format, text) => (colours ? styleText(format, text) : text)

/**
 * Columns that a text takes on a terminal: East Asian and emoji characters take two, combining marks none.
 * @param {string} text
 */
function columns(text) {
  let sum = 0
  for (const { segment } of new Intl.Segmenter().segment(text)) {
    sum +=
      /[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Hangul}\u3000-\u303f\uff01-\uff60\p{Emoji_Presentation}]/u.test(
        segment,
      )
        ? 2
        : 1
  }
  return sum
}

/**
 * Breaks a text into lines of at most `width` columns, between words as its language has them.
 * @param {string} text
 * @param {number} width
 */
function wrap(text, width) {
  const lines = ['']
  for (const { segment } of new Intl.Segmenter(undefined, { granularity: 'word' }).segment(text)) {
    const line = lines.at(-1) ?? ''
    const fits = columns(line + segment.trimEnd()) <= width
    // A full stop may hang over the edge by one column rather than begin a line.
    const hangs = /^\p{P}+$/u.test(segment) && columns(line) <= width
    if (fits || hangs) lines[lines.length - 1] = line + segment
    else lines.push(segment.trimStart())
  }
  return lines.map((line) => line.trimEnd())
}

/**
 * @param {string} query
 * @param {readonly { index: number, score: number, passage: string }[]} ranked
 */
function table(query, ranked) {
  const lines = [`  ${style('bold', query)}`]
  lines.push(style('dim', `  rank given   score   passage`))
  for (const [place, { index, score, passage }] of ranked.entries()) {
    const lead = `  ${String(place + 1).padStart(4)} ${String(index + 1).padStart(5)} ${score.toFixed(2).padStart(7)}   `
    const [first = '', ...rest] = wrap(passage, lineWidth - lead.length - 1)
    const shown = [lead + first, ...rest.map((line) => ' '.repeat(lead.length) + line)]
    lines.push(...(place === 0 ? shown.map((line) => style('green', line)) : shown))
  }
  return lines.join('\n')
}

const seconds = (/** @type {number} */ since) => ((performance.now() - since) / 1000).toFixed(1)

// The Vulkan loader warns where this is not set.
process.env.XDG_RUNTIME_DIR ??= tmpdir()

const loading = performance.now()
const reranker = await FlagReranker.load()
const { adapter, dtype } = reranker.info
console.log('dawnrank on WebGPU')
console.log(`  model    weights/xlm-roberta-6x384, weights in ${dtype}`)
console.log(`  adapter  ${adapter.description || `${adapter.vendor} ${adapter.architecture}`}`)
console.log(`  loaded in ${seconds(loading)} s\n`)

for (const { query, passages } of questions) {
  const start = performance.now()
  const ranked = await reranker.rank(query, passages)
  const tokens = ranked.reduce((sum, result) => sum + result.tokens, 0)
  const took = Math.round(performance.now() - start)
  console.log(table(query, ranked))
  console.log(`${style('dim', `  ${passages.length} passages, ${tokens} tokens, ${took} ms`)}\n`)
}
reranker.dispose()

console.log(`The score is a logit: unbounded, about even at 0, comparable within one query.
The model is small; weights/README.md tells what it can do. Try next:
  npx dawnrank rerank "What is panda?" "hi" "The giant panda is a bear."
  npx dawnrank tokenize "What is panda?" "The giant panda is a bear."
  npx dawnrank doctor
  npm test`)
