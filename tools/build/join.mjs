// @ts-check
// An entry in one file with all that it imports. esbuild makes an entry of whatever is imported later, too, and a chunk of what each set
// of entries shares: a file for every few modules, with long lists of imports, which gzip badly.
import { writeFileSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { build } from 'esbuild'
import { closure } from './sizes.mjs'

/** An import in a chunk, as esbuild writes it: the names, and the file. */
const imported = /\bimport(?:\{([^}]*)\}from)?"\.\/([^"]+)"/g

/** @param {string} names `a as b,c`; each name with the one that it has here */
const namesOf = (names) =>
  names.split(',').map((one) => {
    const [name = '', own = name] = one.split(' as ')
    return [name, own]
  })

/**
 * Writes what was built: the chunks that some entries load as one, which these entries pass on, and the others, which import names
 * from it.
 * @param {import('esbuild').BuildResult<{ write: false, metafile: true }>} built
 * @param {string} root the repository
 * @param {readonly string[]} entries their paths in the metafile, the first one giving the name
 * @param {import('esbuild').BuildOptions} options of the joined chunk
 * @returns {Promise<import('esbuild').Metafile>} what is in the files now
 */
export async function writeJoined({ outputFiles, metafile }, root, entries, options) {
  const { outputs } = metafile
  const folder = dirname(entries[0] ?? '')
  const texts = new Map(outputFiles.map(({ path, text }) => [basename(path), text]))
  const paths = [...new Set(entries.flatMap((entry) => [...closure(outputs, entry)]))]
  const files = paths.map((path) => basename(path))
  const exportsOf = (/** @type {string} */ path) => outputs[path]?.exports ?? []
  /** Chunks may export the same name. */
  const renamed = (/** @type {string} */ name, /** @type {string} */ file) =>
    `${name}_${files.indexOf(file)}`

  const others = [...texts].filter(([file]) => !files.includes(file))
  const wanted = new Set(
    others.flatMap(([, text]) =>
      [...text.matchAll(imported)].flatMap(([, names = '', from = '']) =>
        namesOf(names).map(([name = '']) => renamed(name, from)),
      ),
    ),
  )
  const lines = paths.map((path) => {
    const file = basename(path)
    const names = exportsOf(path).filter(
      (name) => entries.includes(path) || wanted.has(renamed(name, file)),
    )
    return `export { ${names.map((name) => `${name} as ${renamed(name, file)}`)} } from './${file}'`
  })
  const { outputFiles: made } = await build({
    ...options,
    stdin: { contents: lines.join('\n'), resolveDir: root },
    outdir: join(root, folder),
    entryNames: `${basename(entries[0] ?? '', '.js')}-[hash]`,
    plugins: [chunksOf(files, texts)],
    write: false,
  })
  const [{ path, contents }] = /** @type {[import('esbuild').OutputFile]} */ (made)
  const joined = basename(path)
  writeFileSync(path, contents)
  for (const entry of entries) {
    const file = basename(entry)
    const names = exportsOf(entry).map((name) => `${renamed(name, file)} as ${name}`)
    writeFileSync(join(root, entry), `export{${names.join()}}from"./${joined}";\n`)
  }
  for (const [file, text] of others) {
    const code = text.replace(imported, (statement, names, from) => {
      if (!files.includes(from)) return statement
      const list = namesOf(names ?? '').map(
        ([name = '', own]) => `${renamed(name, from)} as ${own}`,
      )
      return `import${names ? `{${list}}from` : ''}"./${joined}"`
    })
    writeFileSync(join(root, folder, file), code)
  }
  return joinedMetafile(metafile, entries, paths, `${folder}/${joined}`, contents.length)
}

/**
 * Reads chunks from memory; those that are not joined stay outside.
 * @param {readonly string[]} files
 * @param {ReadonlyMap<string, string>} texts
 * @returns {import('esbuild').Plugin}
 */
const chunksOf = (files, texts) => ({
  name: 'chunks',
  setup(build) {
    build.onResolve({ filter: /^\.\// }, ({ path, kind }) =>
      kind === 'import-statement' && files.includes(basename(path))
        ? { path: basename(path), namespace: 'chunk' }
        : { path, external: true },
    )
    build.onLoad({ filter: /./, namespace: 'chunk' }, ({ path }) => ({
      contents: texts.get(path) ?? '',
    }))
  },
})

/**
 * What is in the files now.
 * @param {import('esbuild').Metafile} metafile
 * @param {readonly string[]} entries
 * @param {readonly string[]} paths of the chunks that were joined
 * @param {string} joined
 * @param {number} bytes
 * @returns {import('esbuild').Metafile}
 */
function joinedMetafile({ inputs, outputs }, entries, paths, joined, bytes) {
  const isLater = (/** @type {{ kind: string }} */ { kind }) => kind === 'dynamic-import'
  const parts = paths.flatMap((path) => outputs[path] ?? [])
  const all = Object.entries(outputs).map(([path, output]) => {
    const imports = output.imports.map((one) =>
      !isLater(one) && paths.includes(one.path) ? { ...one, path: joined } : one,
    )
    /** @type {typeof imports} */
    const passedOn = [{ path: joined, kind: 'import-statement' }]
    return entries.includes(path)
      ? [path, { ...output, bytes: 0, inputs: {}, imports: passedOn }]
      : [path, { ...output, imports }]
  })
  const kept = all.filter(([path]) => entries.includes(`${path}`) || !paths.includes(`${path}`))
  return {
    inputs,
    outputs: {
      ...Object.fromEntries(kept),
      [joined]: {
        bytes,
        inputs: Object.assign({}, ...parts.map((part) => part.inputs)),
        imports: parts.flatMap((part) => part.imports.filter(isLater)),
        exports: [],
      },
    },
  }
}
