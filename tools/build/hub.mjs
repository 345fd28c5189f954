// @ts-check
import { createRequire } from 'node:module'

const name = '@huggingface/hub'
const { resolve } = createRequire(import.meta.url)

/** Two functions of a package, in the form that has no Node modules: bundled for every runtime. */
export const hubAlias = { [name]: resolve(name).replace(/index\.js$/, 'browser/index.mjs') }
