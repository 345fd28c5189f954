/** A path and how many of its parts its name has at least. */
interface NamedPath {
  readonly path: string
  readonly least: number
}

/** The last parts of paths or of models' names, as many as make them differ. */
export function shortNames(paths: readonly (string | NamedPath)[]): string[] {
  const lists = paths.map((one) => {
    const { path, least } = typeof one === 'string' ? { path: one, least: 1 } : one
    return { path, least, parts: partsOf(path) }
  })
  const longest = Math.max(1, ...lists.map(({ parts }) => parts.length))
  for (let count = 1; ; count++) {
    const names = lists.map(
      ({ path, least, parts }) => parts.slice(-Math.max(count, least)).join('/') || path,
    )
    if (new Set(names).size === names.length) return names
    // They differ in their endings alone.
    if (count >= longest) return lists.map(({ path }) => path)
  }
}

/** The parts of a path, without the ending of a file of data, and without `qrels` and the split of judgements. */
const partsOf = (path: string) =>
  path
    .replace(/\/qrels\/[^/]+$/, '')
    .replace(/\.(jsonl?|tsv|txt|trec|run|qrels)(\.gz)?$/, '')
    .split('/')
    .filter((part) => part !== '' && part !== '.')
