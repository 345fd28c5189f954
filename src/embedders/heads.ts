/** The two heads of bge-m3, which are files of their own beside the model. */
import { Checkpoint, type StoredDtype, safetensorsLayout } from '../checkpoint/index.ts'
import { blobFolder, type Folder, readWhole } from '../platform/files.ts'
import { EmbedderError } from './errors.ts'

/** Their files, without the ending. */
export const headNames = ['sparse_linear', 'colbert_linear'] as const

/** A tensor in memory, as files store it. */
interface StoredTensor {
  readonly dtype: StoredDtype
  readonly shape: readonly number[]
  readonly data: Uint8Array<ArrayBuffer>
}

/**
 * The heads of a folder as a checkpoint with `sparse_linear.weight`, `colbert_linear.bias` and so on; `undefined` where there
 * are none. A .safetensors file goes before a .pt file.
 *
 * @throws EmbedderError `heads-invalid`; CheckpointError
 */
export async function openHeads(folder: Folder): Promise<Checkpoint | undefined> {
  const found = new Map<string, StoredTensor>()
  const missing: string[] = []
  for (const name of headNames) {
    const layer = (await readSafetensors(folder, name)) ?? (await readTorch(folder, name))
    if (!layer) missing.push(name)
    for (const part of ['weight', 'bias']) {
      const tensor = layer?.get(part)
      if (tensor) found.set(`${name}.${part}`, tensor)
    }
  }
  if (missing.length === headNames.length) return undefined
  if (missing.length > 0) {
    throw new EmbedderError(
      'heads-invalid',
      `${folder.name}: no ${missing[0]}.safetensors and no ${missing[0]}.pt; expected both heads of bge-m3, or none`,
    )
  }
  return Checkpoint.open(
    blobFolder(
      { 'config.json': new Blob(['{}']), 'model.safetensors': asSafetensors(found) },
      folder.name,
    ),
  )
}

function asSafetensors(tensors: ReadonlyMap<string, StoredTensor>): Blob {
  const infos = [...tensors].map(([name, { dtype, shape }]) => ({ name, dtype, shape }))
  const { header } = safetensorsLayout(infos)
  return new Blob([header, ...[...tensors.values()].map(({ data }) => data)])
}

type Layer = ReadonlyMap<string, StoredTensor>

async function readSafetensors(folder: Folder, name: string): Promise<Layer | undefined> {
  const file = `${name}.safetensors`
  const source = await folder.open(file)
  if (!source) return undefined
  await source.close()
  const checkpoint = await Checkpoint.open({
    name: `${folder.name}/${file}`,
    open: async (asked) =>
      asked === 'config.json'
        ? blobFolder({ [asked]: new Blob(['{}']) }).open(asked)
        : folder.open(asked === 'model.safetensors' ? file : asked),
  })
  try {
    const layer = new Map<string, StoredTensor>()
    for (const [key, info] of checkpoint.tensors) {
      layer.set(key, { ...info, data: await checkpoint.read(info) })
    }
    return layer
  } finally {
    await checkpoint.close()
  }
}

async function readTorch(folder: Folder, name: string): Promise<Layer | undefined> {
  const file = `${name}.pt`
  const bytes = await readWhole(folder, file)
  if (!bytes) return undefined
  const { readTorchTensors } = await import('../checkpoint/torch-tensors.ts')
  return readTorchTensors(bytes, `${folder.name}/${file}`)
}
