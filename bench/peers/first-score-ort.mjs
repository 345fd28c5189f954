// onnxruntime-node's WebGPU provider from the start of a process to its first score, of token ids:
// node first-score-ort.mjs '{"file":…,"ids":[…]}'. Prints what ../first-score.mjs prints. Not type-checked: its package is
// not installed with the project.
import * as ort from 'onnxruntime-node'

const { file, ids } = JSON.parse(process.argv[2])
const imported = performance.now()
const session = await ort.InferenceSession.create(file, {
  executionProviders: ['webgpu'],
  graphOptimizationLevel: 'all',
  logSeverityLevel: 3,
})
const loaded = performance.now()
const shape = [1, ids.length]
const { logits } = await session.run({
  input_ids: new ort.Tensor('int64', BigInt64Array.from(ids, BigInt), shape),
  attention_mask: new ort.Tensor('int64', new BigInt64Array(ids.length).fill(1n), shape),
})
const score = Number(logits.data[0])
const scored = performance.now()
const { user, system } = process.cpuUsage()
const report = { score, steps: { imported, loaded, scored }, cpuMs: (user + system) / 1000 }
process.stdout.write(`${JSON.stringify(report)}\n`, () => process.exit(0))
