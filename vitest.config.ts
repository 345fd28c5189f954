import { readFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { defineConfig, type Plugin } from 'vitest/config'

/** `import code from './x.wgsl'` gives the text, as esbuild's text loader does in the bundles; so does `./x.html`. */
const text: Plugin = {
  name: 'text',
  load: (id) =>
    /\.(wgsl|html)$/.test(id)
      ? `export default ${JSON.stringify(readFileSync(id, 'utf8'))}`
      : undefined,
}

export default defineConfig({
  plugins: [text],
  test: {
    include: ['test/**/*.test.ts'],
    pool: 'forks',
    execArgv: ['--expose-gc'],
    maxWorkers: 2,
    env: {
      // The Vulkan loader warns where it is not set.
      XDG_RUNTIME_DIR: process.env.XDG_RUNTIME_DIR ?? tmpdir(),
      // What a machine tuned would choose the kernels that are tested.
      DAWNRANK_TUNE: '0',
    },
    testTimeout: 120_000,
    hookTimeout: 120_000,
    expect: { poll: { timeout: 30_000, interval: 10 } },
  },
})
