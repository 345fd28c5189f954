// @ts-check
// PyTorch as a contestant: pytorch_scores.py in a process of its own.
import { spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { serve } from '../contestant.mjs'

const script = fileURLToPath(new URL('pytorch_scores.py', import.meta.url))

serve(
  async (
    /** @type {{ python: string, model: string, dtype: string, ids: number[][], types?: number[][], pad: number }} */ options,
  ) => {
    const { python, model, dtype, ids, types, pad } = options
    const child = spawn(python, ['-B', script, '--model', model, '--dtype', dtype], {
      stdio: ['pipe', 'pipe', 'inherit'],
    })
    const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]()
    /** @param {string} request */
    const ask = async (request) => {
      child.stdin.write(`${request}\n`)
      const { value, done } = await lines.next()
      if (done) throw new Error(`${script} ended early`)
      return JSON.parse(value)
    }
    return {
      facts: await ask(JSON.stringify({ ids, types, pad })),
      run: async () => {
        const { scores, cpuMs, peakMiB } = await ask('run')
        return { values: scores, helper: { cpuMs, peakMiB } }
      },
    }
  },
)
