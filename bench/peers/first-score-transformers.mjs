// transformers.js on WebGPU from the start of a process to its first score, of two texts:
// node first-score-transformers.mjs '{"folder":…,"name":…,"pair":[…]}'. Prints what ../first-score.mjs prints. Not
// type-checked: its package is not installed with the project.
import { AutoModelForSequenceClassification, AutoTokenizer, env } from '@huggingface/transformers'

const {
  folder,
  name,
  pair: [query, passage],
} = JSON.parse(process.argv[2])
const imported = performance.now()
env.localModelPath = folder
env.allowRemoteModels = false
const [tokenizer, model] = await Promise.all([
  AutoTokenizer.from_pretrained(name),
  AutoModelForSequenceClassification.from_pretrained(name, { device: 'webgpu', dtype: 'fp32' }),
])
const loaded = performance.now()
const { logits } = await model(tokenizer(query, { text_pair: passage }))
const score = Number(logits.data[0])
const scored = performance.now()
const { user, system } = process.cpuUsage()
const report = { score, steps: { imported, loaded, scored }, cpuMs: (user + system) / 1000 }
process.stdout.write(`${JSON.stringify(report)}\n`, () => process.exit(0))
