/** The last parts of paths or of models' names, as many as make them differ. */
export function shortNames(paths: readonly string[]): string[] {
  const parts = paths.map((path) =>
    path
      .replace(/\.(jsonl?|tsv|txt|trec|run|qrels)(\.gz)?$/, '')
      .split('/')
      .filter((part) => part !== '' && part !== '.'),
  )
  const longest = Math.max(1, ...parts.map((list) => list.length))
  for (let count = 1; ; count++) {
    const names = parts.map((list, i) => list.slice(-count).join('/') || paths[i]!)
    if (new Set(names).size === names.length || count >= longest) return names
  }
}
