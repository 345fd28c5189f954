import type { ByteSource, Folder } from '../platform/files.ts'
import type { QuantizedDtype } from '../weight-dtypes.ts'
import { readExactly } from './bytes.ts'
import { Config } from './config.ts'
import { CheckpointError, show, showShape } from './errors.ts'
import { closeAll, configMissing, openWeights } from './files.ts'
import { spellings } from './names.ts'
import { type Quantization, quantizedTensors, readQuantization } from './quantization.ts'
import type { StoredDtype, TensorInfo } from './safetensors.ts'

/** The dtypes in which weights may be stored. */
export const floatDtypes = ['f32', 'f16', 'bf16', 'f64'] as const satisfies readonly StoredDtype[]

interface AskedTensor {
  readonly name: string
  readonly shape: readonly number[]
  readonly backbone: string | undefined
}

/**
 * A model folder: its config, and the tensors of its safetensors files, which stay open until
 * {@link Checkpoint.close}. Opening reads the headers alone; data is read when asked for.
 */
export class Checkpoint {
  readonly folder: Folder
  readonly config: Config
  /** All tensors by name. */
  readonly tensors: ReadonlyMap<string, TensorInfo>
  /** What the weights are quantized to, where they are. */
  readonly quantization: Quantization | undefined
  readonly #sources: ReadonlyMap<string, ByteSource>
  #closing: Promise<void> | undefined

  private constructor(
    folder: Folder,
    config: Config,
    tensors: ReadonlyMap<string, TensorInfo>,
    sources: ReadonlyMap<string, ByteSource>,
    quantization: Quantization | undefined,
  ) {
    this.folder = folder
    this.config = config
    this.tensors = tensors
    this.quantization = quantization
    this.#sources = sources
  }

  /**
   * Opens config.json and model.safetensors, or the shards of model.safetensors.index.json, and
   * checks everything that can be checked without reading the data.
   *
   * @throws CheckpointError after which no file is left open; its message names the remedy where
   * the weights are in another format
   */
  static async open(folder: Folder): Promise<Checkpoint> {
    const config = await Checkpoint.readConfig(folder)
    const quantization = readQuantization(config)
    const { tensors, sources } = await openWeights(folder)
    return new Checkpoint(folder, config, tensors, sources, quantization)
  }

  /**
   * Reads config.json alone.
   *
   * @throws CheckpointError; where there is none, its message names what else the folder may be
   */
  static async readConfig(folder: Folder): Promise<Config> {
    const config = await Config.read(folder)
    if (!config) throw await configMissing(folder)
    return config
  }

  /** Whether there is a tensor of this name, or of one that stands for it. */
  has(name: string, backbone?: string): boolean {
    return this.#find(name, backbone) !== undefined
  }

  /**
   * The tensor of this name, which must have this shape and be stored as f32, f16, bf16 or f64.
   *
   * @param backbone see {@link spellings}
   * @throws CheckpointError `tensor-missing`, `tensor-shape`, `tensor-dtype`
   */
  tensor(name: string, shape: readonly number[], backbone?: string): TensorInfo {
    const remedy = 'Save the model in one of these from Python, unquantized'
    return this.#tensor({ name, shape, backbone }, floatDtypes, remedy)
  }

  /**
   * The two tensors of a quantized matrix [columns, inner].
   *
   * @throws CheckpointError `tensor-missing`, `tensor-shape`, `tensor-dtype`
   */
  quantized(
    name: string,
    shape: readonly [number, number],
    dtype: QuantizedDtype,
    backbone?: string,
  ): { readonly numbers: TensorInfo; readonly scales: TensorInfo } {
    const { numbers, scales } = quantizedTensors(name, shape, dtype)
    const remedy = 'Write the folder again with "dawnrank quantize"'
    return {
      numbers: this.#tensor({ ...numbers, backbone }, ['u8'], remedy),
      scales: this.#tensor({ ...scales, backbone }, ['bf16'], remedy),
    }
  }

  #find(name: string, backbone?: string): TensorInfo | undefined {
    const spelled = spellings(name, backbone).find((spelling) => this.tensors.has(spelling))
    return spelled === undefined ? undefined : this.tensors.get(spelled)
  }

  #tensor(
    { name, shape, backbone }: AskedTensor,
    dtypes: readonly StoredDtype[],
    remedy: string,
  ): TensorInfo {
    const info = this.#find(name, backbone)
    if (!info) throw this.#missing(name)
    const what = `${this.folder.name}/${info.file}: tensor ${show(info.name)}`
    if (info.shape.length !== shape.length || info.shape.some((size, i) => size !== shape[i])) {
      throw new CheckpointError(
        'tensor-shape',
        `${what} is ${showShape(info.shape)}; config.json makes it ${showShape(shape)}`,
      )
    }
    if (!dtypes.includes(info.dtype)) {
      throw new CheckpointError(
        'tensor-dtype',
        `${what} is stored as ${info.dtype}; expected ${dtypes.join(', ')}. ${remedy}`,
      )
    }
    return info
  }

  /**
   * Bytes `start` to `end` (exclusive) of a tensor's data, as in the file; all of them if
   * neither is given. They come in one buffer of their own: read large tensors piece by piece.
   *
   * @throws CheckpointError `range-invalid`, `closed`, `file-truncated`, `file-unreadable`
   */
  async read(info: TensorInfo, start = 0, end = info.bytes): Promise<Uint8Array<ArrayBuffer>> {
    const what = `${this.folder.name}/${info.file}: tensor ${show(info.name)}`
    const inside = Number.isSafeInteger(start) && Number.isSafeInteger(end) && start >= 0
    if (!inside || start > end || end > info.bytes) {
      throw new CheckpointError(
        'range-invalid',
        `${what}: asked for bytes ${start} to ${end} of ${info.bytes}`,
      )
    }
    if (this.#closing) {
      throw new CheckpointError('closed', `${what}: read after the checkpoint was closed`)
    }
    const source = this.#sources.get(info.file)
    if (!source) throw this.#missing(info.name)
    return readExactly(source, info.start + start, info.start + end)
  }

  /** Closes all files. Calls after the first wait for the same end. */
  close(): Promise<void> {
    this.#closing ??= closeAll(this.#sources.values())
    return this.#closing
  }

  #missing(name: string): CheckpointError {
    const files = [...this.#sources.keys()]
    const place = files.length === 1 ? files[0] : `${files.length} files, ${files[0]} and on`
    const near = nearest(name, this.tensors.keys())
    return new CheckpointError(
      'tensor-missing',
      `${this.folder.name}: no tensor ${show(name)} among the ${this.tensors.size} of ${place}${near.length > 0 ? `; most like it: ${near.map(show).join(', ')}` : ''}`,
    )
  }
}

/** Up to three names that share the longest beginning and end with `name`: another prefix or suffix is the usual fault. */
function nearest(name: string, names: Iterable<string>): string[] {
  const scored = Array.from(names, (other) => ({ other, shared: sharedEnds(name, other) }))
  return scored
    .filter(({ shared }) => shared > 0)
    .sort((a, b) => b.shared - a.shared)
    .slice(0, 3)
    .map(({ other }) => other)
}

function sharedEnds(a: string, b: string): number {
  const shorter = Math.min(a.length, b.length)
  let front = 0
  while (front < shorter && a[front] === b[front]) front++
  let back = 0
  while (back < shorter - front && a[a.length - 1 - back] === b[b.length - 1 - back]) back++
  return front + back
}
