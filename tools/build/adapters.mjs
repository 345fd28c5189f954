// @ts-check
// The adapters: entries of the package for other frameworks.
import { build } from 'esbuild'

/** Sources by the name of the entry. */
export const adapters = {
  'ai-sdk': 'src/adapters/ai-sdk.ts',
  'cross-encoder': 'src/adapters/cross-encoder.ts',
  langchain: 'src/adapters/langchain.ts',
  llamaindex: 'src/adapters/llamaindex.ts',
}

/** @type {import('esbuild').Plugin} */
const libraryByName = {
  name: 'library-by-name',
  setup({ onResolve }) {
    onResolve({ filter: /^\.\.\/index\.ts$/ }, () => ({ path: 'dawnrank', external: true }))
  },
}

/**
 * Builds the adapters, for every runtime: they import the library by the package's name, so that the host takes the form of it
 * that is for its runtime, and that a class exists once.
 * @param {import('esbuild').BuildOptions} common
 * @param {readonly string[]} external packages of the hosts
 */
export const buildAdapters = (common, external) =>
  build({
    ...common,
    platform: 'neutral',
    splitting: true,
    chunkNames: 'adapters-[hash]',
    external: [...external],
    plugins: [libraryByName],
    entryPoints: adapters,
  })
