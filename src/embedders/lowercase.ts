import { blobSource, type Folder, readJsonIfValid } from '../platform/files.ts'

const tokenizerFile = 'tokenizer.json'

/**
 * A folder whose tokenizer.json makes texts lowercase before anything else, unless it does so already: what `do_lower_case`
 * asks for.
 */
export async function lowercaseFolder(folder: Folder): Promise<Folder> {
  const read = await readJsonIfValid(folder, tokenizerFile)
  if (read === undefined) return folder
  const json: { normalizer?: unknown } = Object(read)
  if (lowers(json.normalizer)) return folder
  const own = json.normalizer ? [json.normalizer] : []
  const normalizer = { type: 'Sequence', normalizers: [{ type: 'Lowercase' }, ...own] }
  const blob = new Blob([JSON.stringify({ ...json, normalizer })])
  const name = `${folder.name}/${tokenizerFile}`
  return {
    name: folder.name,
    open: async (file) => (file === tokenizerFile ? blobSource(name, blob) : folder.open(file)),
  }
}

/** Whether a normalizer makes texts lowercase. */
function lowers(normalizer: unknown): boolean {
  const { type, lowercase, normalizers } = Object(normalizer)
  if (type === 'Sequence' && Array.isArray(normalizers)) return normalizers.some(lowers)
  return type === 'Lowercase' || (type === 'BertNormalizer' && lowercase === true)
}
