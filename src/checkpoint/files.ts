/** Which safetensors files a model folder has, opened and their headers checked. */
import type { ByteSource, Folder } from '../platform/files.ts'
import { readText } from './bytes.ts'
import { configFile } from './config.ts'
import { CheckpointError, show } from './errors.ts'
import { JsonReader } from './json.ts'
import { longestHeader, readHeader, type TensorInfo } from './safetensors.ts'

export const weightsFile = 'model.safetensors'
export const indexFile = 'model.safetensors.index.json'
const adapterConfig = 'adapter_config.json'

/** Open files by their name in the folder, and the tensors they hold by name. */
export interface Weights {
  readonly sources: ReadonlyMap<string, ByteSource>
  readonly tensors: ReadonlyMap<string, TensorInfo>
}

/**
 * Opens model.safetensors, or else the shards that model.safetensors.index.json names, side by side.
 * Of all files only the headers are read. On any fault all files are closed again.
 *
 * As in transformers, the single file goes before the index, and of the index only the names of the shards count: a
 * tensor is taken from the shard that holds it, whatever the index says of it.
 */
export async function openWeights(folder: Folder): Promise<Weights> {
  const single = await folder.open(weightsFile)
  if (single) {
    const sources = new Map([[weightsFile, single]])
    return { sources, tensors: await readHeaders(sources) }
  }
  const files = await readIndex(folder)
  if (!files) throw await weightsMissing(folder)
  const sources = await openShards(folder, files)
  return { sources, tensors: await readHeaders(sources) }
}

/** Closes all files, also where closing one fails; then throws the first failure. */
export async function closeAll(sources: Iterable<ByteSource>): Promise<void> {
  settled(await Promise.allSettled([...sources].map((source) => source.close())))
}

/** The error for a folder without config.json. */
export async function configMissing(folder: Folder): Promise<CheckpointError> {
  const weights = (await exists(folder, weightsFile)) || (await exists(folder, indexFile))
  if (!weights && (await exists(folder, adapterConfig))) return adapterOnly(folder)
  return new CheckpointError(
    'config-missing',
    `${folder.name}: no ${configFile}; expected a model folder as transformers' save_pretrained writes it (${configFile}, ${weightsFile}, tokenizer.json)${await why(folder, configFile)}`,
  )
}

async function weightsMissing(folder: Folder): Promise<CheckpointError> {
  const missing = `${folder.name}: no ${weightsFile} and no ${indexFile}`
  if (await exists(folder, adapterConfig)) return adapterOnly(folder)
  for (const file of pickleFiles) {
    if (!(await exists(folder, file))) continue
    return new CheckpointError(
      'weights-missing',
      `${missing}, only ${file}; dawnrank reads safetensors alone. Convert once in Python with transformers: AutoModelForSequenceClassification.from_pretrained(FOLDER).save_pretrained(FOLDER, safe_serialization=True); for a language model AutoModelForCausalLM`,
    )
  }
  return new CheckpointError(
    'weights-missing',
    `${missing}; the weights must be beside ${configFile} in one of these${await why(folder, weightsFile)}`,
  )
}

/** PyTorch's own format: Python pickles, which can run code as they are read. */
const pickleFiles = ['pytorch_model.bin', 'pytorch_model.bin.index.json']

const adapterOnly = (folder: Folder) =>
  new CheckpointError(
    'weights-missing',
    `${folder.name}: a LoRA adapter (${adapterConfig}) without the weights of its base model. Merge them once in Python with peft: PeftModel.from_pretrained(baseModel, FOLDER).merge_and_unload().save_pretrained(MERGED, safe_serialization=True)`,
  )

/** A sentence on why a file is missing, where the folder can tell. */
async function why(folder: Folder, file: string): Promise<string> {
  const reason = await folder.whyMissing?.(file)
  return reason ? `. ${reason}` : ''
}

async function exists(folder: Folder, file: string): Promise<boolean> {
  const source = await folder.open(file)
  await source?.close()
  return source !== undefined
}

/** The files that the index names, in order; `undefined` where the folder has no index. */
async function readIndex(folder: Folder): Promise<string[] | undefined> {
  const name = `${folder.name}/${indexFile}`
  const text = await readText(folder, indexFile, longestHeader, 'index-invalid')
  if (text === undefined) return undefined
  const invalid = (fault: string) => new CheckpointError('index-invalid', `${name}: ${fault}`)
  const reader = new JsonReader(
    text,
    (where, fault) => invalid(where ? `at ${where}: ${fault}` : fault),
    { python: true },
  )
  const files = new Set<string>()
  reader.object('an object with weight_map', (key) => {
    if (key !== 'weight_map') {
      reader.skip()
      return
    }
    reader.object('an object of tensors and their files', (tensor) => {
      const file = reader.string('the name of a file')
      const plain = file.replace(/^(\.\/+)+/, '')
      if (!isPlainName(plain)) {
        throw invalid(
          `tensor ${show(tensor)} is in ${show(file)}; expected the name of a file in the same folder`,
        )
      }
      files.add(plain)
    })
  })
  reader.end()
  if (files.size === 0) throw invalid('no weight_map, or an empty one')
  return [...files].sort()
}

/** No path of any system: no separators, drive letters or control characters, not `.` or `..`. */
const isPlainName = (file: string): boolean =>
  // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what is refused
  /^[^/\\:\u0000-\u001f]+$/.test(file) && !/^\.\.?$/.test(file)

async function openShards(
  folder: Folder,
  files: readonly string[],
): Promise<Map<string, ByteSource>> {
  const opened = await Promise.allSettled(files.map((file) => folder.open(file)))
  const sources = new Map<string, ByteSource>()
  const missing: string[] = []
  files.forEach((file, i) => {
    const result = opened[i]
    if (result?.status !== 'fulfilled') return
    if (result.value) sources.set(file, result.value)
    else missing.push(file)
  })
  try {
    settled(opened)
    if (missing.length > 0) {
      throw new CheckpointError(
        'shard-missing',
        `${folder.name}: ${missing.length} of the ${files.length} files that ${indexFile} names are not there, such as ${show(missing[0])}; is the download complete?${await why(folder, missing[0] as string)}`,
      )
    }
  } catch (fault) {
    await closeAll(sources.values())
    throw fault
  }
  return sources
}

/** The tensors of all files; on a fault the files are closed. */
async function readHeaders(
  sources: ReadonlyMap<string, ByteSource>,
): Promise<Map<string, TensorInfo>> {
  const read = await Promise.allSettled(
    [...sources].map(([file, source]) => readHeader(source, file)),
  )
  try {
    const tensors = new Map<string, TensorInfo>()
    for (const tensor of settled(read).flat()) {
      const twin = tensors.get(tensor.name)
      if (twin) {
        throw new CheckpointError(
          'index-invalid',
          `${sources.get(tensor.file)?.name}: tensor ${show(tensor.name)} is in this file and in ${show(twin.file)}; expected one of them`,
        )
      }
      tensors.set(tensor.name, tensor)
    }
    return tensors
  } catch (fault) {
    await closeAll(sources.values())
    throw fault
  }
}

/** The values of settled promises; throws the first failure. */
function settled<T>(results: readonly PromiseSettledResult<T>[]): T[] {
  return results.map((result) => {
    if (result.status === 'rejected') throw result.reason
    return result.value
  })
}
