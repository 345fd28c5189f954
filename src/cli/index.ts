#!/usr/bin/env node
import { tmpdir } from 'node:os'
import { environment, webgpu } from '#platform'
import { write } from './io.ts'
import { layerwiseLoader } from './layerwise.ts'
import { runCli } from './program.ts'

// The Vulkan loader and Mesa print warnings where this is not set.
process.env.XDG_RUNTIME_DIR ??= tmpdir()

const library = () => import('../index.ts')
const classes = ['FlagReranker', 'FlagLLMReranker', 'LayerWiseFlagLLMReranker'] as const

const interrupt = new AbortController()
process.on('SIGINT', () => {
  // The second one does not wait for a clean stop.
  if (interrupt.signal.aborted) process.exit(130)
  interrupt.abort()
})

const code = await runCli(process.argv.slice(2), {
  stdin: process.stdin,
  stdout: process.stdout,
  stderr: process.stderr,
  signal: interrupt.signal,
  load: async (folder, options) => (await library()).Reranker.load(folder, options),
  loadLayerwise: async (folder, options) => layerwiseLoader(await library())(folder, options),
  embedded: classes.map((name) => ({
    name,
    load: async (options) => (await library())[name].load(undefined, options),
  })),
  webgpu,
  debug: environment('DAWNRANK_DEBUG') === '1',
})
// What is written goes out before the process ends, which an open stdin would keep alive.
await Promise.allSettled([write(process.stdout, ''), write(process.stderr, '')])
process.exit(code)
