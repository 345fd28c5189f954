import { show } from '../checkpoint/index.ts'
import type { GpuError } from '../gpu/errors.ts'
import { packBatch, type Sequence } from '../models/batch.ts'
import { ModelError } from '../models/errors.ts'
import type { Place } from '../platform/files.ts'
import { PlanTape } from '../tensor/tape.ts'
import { cutIds, type Tokenizer } from '../tokenizers/index.ts'
import { EmbedderError } from './errors.ts'
import type { EmbedderInfo, Loaded } from './load.ts'
import {
  checkOptions,
  type EmbedderLoadOptions,
  type EmbedMultiOptions,
  type EmbedOptions,
  promptOf,
  type TextSettings,
} from './options.ts'
import {
  finished,
  type MultiEmbedding,
  type MultiSimilarity,
  type MultiWeights,
  multiSimilarity,
  vectorSimilarity,
} from './similarity.ts'

/** Texts in, vectors out: the models of sentence-transformers, and bge-m3 with its three kinds of embeddings. */
export class Embedder {
  readonly tokenizer: Tokenizer
  readonly #loaded: Loaded

  private constructor(loaded: Loaded) {
    this.#loaded = loaded
    this.tokenizer = loaded.tokenizer
  }

  /**
   * Loads an embedder from a folder (a path, a URL, a `Folder`, or `File`s) or by its name on the Hugging Face Hub; the embedded
   * all-MiniLM-L6-v2 if no place is given.
   *
   * @throws HubError where a model cannot be had by its name; CheckpointError, TokenizerError, ModelError, EmbedderError for
   * what is wrong with the files or options; GpuError, PlatformError where there is no adapter. Nothing is left open.
   */
  static async load(place?: Place, options: EmbedderLoadOptions = {}): Promise<Embedder> {
    const { loadEmbedder } = await import('./load.ts')
    return new Embedder(await loadEmbedder(place, options))
  }

  /** Resolves when the device is lost; every call rejects from then on, and the model has to be loaded again. */
  get lost(): Promise<GpuError> {
    return this.#loaded.gpu.lost
  }

  /** What the embedder runs on and with, as of now. */
  get info(): EmbedderInfo {
    const { info, gpu } = this.#loaded
    return { ...info, memory: { ...info.memory, ...gpu.memory.used } }
  }

  /**
   * The embedding of each text. Concurrent calls share batches; no embedding depends on what else is in its batch.
   *
   * @throws EmbedderError for input or options that make no sense; GpuError when the device fails; the signal's reason
   */
  async embed(texts: readonly string[], options: EmbedOptions = {}): Promise<Float32Array[]> {
    checkOptions('embed', options)
    const { dimensions: all, normalize } = this.#loaded.info
    const { dimensions = all } = options
    if (dimensions > all) {
      throw new EmbedderError(
        'option-invalid',
        `dimensions: found ${dimensions}; the embeddings of this model have ${all} numbers`,
      )
    }
    return this.#run(texts, options, false, ([rows], i) =>
      finished(rowOf(rows, i, all).subarray(0, dimensions), normalize),
    )
  }

  /**
   * The dense, the sparse and the multi-vector embedding of each text, of a model that has them (bge-m3).
   *
   * @throws as {@link embed}; EmbedderError `heads-missing`
   */
  async embedMulti(
    texts: readonly string[],
    options: EmbedMultiOptions = {},
  ): Promise<MultiEmbedding[]> {
    checkOptions('embedMulti', options)
    const { info } = this.#loaded
    if (!info.multi) {
      throw new EmbedderError(
        'heads-missing',
        `embedMulti: ${info.model} has no sparse_linear and colbert_linear, the heads of bge-m3; use embed`,
      )
    }
    return this.#run(texts, options, true, ([dense, sparse, colbert], i, ids, from) => {
      const width = colbert.length / sparse.length
      return {
        dense: finished(rowOf(dense, i, info.dimensions), info.normalize),
        sparse: this.#sparse(ids, sparse.subarray(from, from + ids.length)),
        colbert: Array.from({ length: ids.length - 1 }, (_, at) =>
          finished(rowOf(colbert, from + at + 1, width), true),
        ),
      }
    })
  }

  /** Floating-point operations of the embeddings of texts, all together: counted of a plan, nothing is computed. */
  flops(texts: readonly string[], options: TextSettings = {}): number {
    checkOptions('tokenize', options)
    checkTexts(texts)
    const { record, engine } = this.#loaded.queue
    const tape = new PlanTape(engine.gpu, engine.activations)
    const build = this.#builder(options)
    const batch = packBatch(texts.map(build), engine.sharePrefixes)
    record(tape, batch, { multi: false, skip: 0 })
    return tape.flops
  }

  /** The ids that the model is fed for a text. */
  tokenize(text: string, options: TextSettings = {}): number[] {
    checkOptions('tokenize', options)
    checkTexts([text])
    return Array.from(this.#builder(options)(text, 0).ids)
  }

  /** How alike two embeddings are, by the function that the model's files name; cosine if they name none. */
  similarity(a: Float32Array, b: Float32Array): number
  /** The scores of a query and a passage by each kind of embedding, and their mean. */
  similarity(
    query: MultiEmbedding,
    passage: MultiEmbedding,
    weights?: MultiWeights,
  ): MultiSimilarity
  similarity(
    a: Float32Array | MultiEmbedding,
    b: Float32Array | MultiEmbedding,
    weights?: MultiWeights,
  ): number | MultiSimilarity {
    if (a instanceof Float32Array && b instanceof Float32Array) {
      return vectorSimilarity(this.#loaded.modules.similarity, a, b)
    }
    if (isMulti(a) && isMulti(b)) return multiSimilarity(a, b, weights)
    throw new EmbedderError(
      'input-invalid',
      'similarity: expected two embeddings of embed, or two of embedMulti',
    )
  }

  /** Frees everything on the device; calls that are pending reject, and so do later ones. */
  dispose(): void {
    this.#loaded.gpu.dispose()
  }

  /** `dispose`, at the end of a `using` block. */
  [Symbol.dispose](): void {
    this.dispose()
  }

  /**
   * Runs texts, and makes a result of each.
   *
   * @param finish makes the result of text `i` of those whose numbers came together; `from` is the row of its first token
   */
  async #run<T>(
    texts: readonly string[],
    options: EmbedMultiOptions,
    multi: boolean,
    finish: (outputs: Outputs, i: number, ids: Uint32Array, from: number) => T,
  ): Promise<T[]> {
    checkTexts(texts)
    const { gpu, queue, modules } = this.#loaded
    // A call without texts never comes to the device.
    gpu.check()
    const { signal, onProgress, onTokens } = options
    const build = this.#builder(options)
    const drawn: Uint32Array[] = []
    const results: T[] = []
    function* sequences(): Generator<Sequence> {
      for (const [index, text] of texts.entries()) {
        const sequence = build(text, index)
        drawn.push(sequence.ids)
        yield sequence
      }
    }
    let done = 0
    const take = (first: number, outputs: readonly Float32Array[]) => {
      const count = (outputs[0] as Float32Array).length / this.#loaded.info.dimensions
      let from = 0
      for (let i = 0; i < count; i++) {
        const ids = drawn[first + i] as Uint32Array
        const result = finish(outputs as unknown as Outputs, i, ids, from)
        checkFinite(result, first + i, texts)
        results[first + i] = result
        from += ids.length
      }
      done += count
      onProgress?.({ done, total: texts.length })
    }
    const skip = modules.includePrompt ? 0 : this.#promptLength(options)
    await queue.run({ sequences: sequences(), signal, take }, { multi, skip })
    onTokens?.(drawn.reduce((total, ids) => total + ids.length, 0))
    return results
  }

  /** Builds what the model is fed for a text, checked. */
  #builder(options: TextSettings): (text: string, index: number) => Sequence {
    const { modules, info, queue } = this.#loaded
    const { maxLength = info.limits.maxLength, truncate = true } = options
    const { maxTokens, config } = queue.engine.model.backbone
    const { tokenizer } = this
    if (maxLength > maxTokens) {
      throw new EmbedderError(
        'option-invalid',
        `maxLength: found ${maxLength}; the model takes ${maxTokens} tokens`,
      )
    }
    const room = maxLength - tokenizer.overhead
    if (room < 0) {
      throw new EmbedderError(
        'option-invalid',
        `maxLength: found ${maxLength}; the special tokens of a text alone are ${tokenizer.overhead}`,
      )
    }
    const prompt = promptOf(modules, options)
    const leastLength = modules.includePrompt ? 1 : this.#promptLength(options) + 1
    return (text, index) => {
      const encoded = tokenizer.encode(prompt + text)
      if (encoded.length > room && !truncate) {
        throw new EmbedderError(
          'input-too-long',
          `texts[${index}]: ${encoded.length + tokenizer.overhead} tokens; ${maxLength} fit, and truncate is false. Shorten it, raise maxLength, or leave truncate out`,
        )
      }
      const ids = tokenizer.join(cutIds(encoded, room, tokenizer.truncationSide))
      if (ids.length < leastLength) {
        throw new EmbedderError(
          'input-invalid',
          `texts[${index}]: ${show(text)} has no tokens of its own; expected a text, and a maxLength that leaves room for it`,
        )
      }
      const wrong = ids.find((id) => id >= config.vocab)
      if (wrong === undefined) return { ids }
      throw new ModelError(
        'token-out-of-range',
        `texts[${index}]: it has token id ${wrong}; the model's vocabulary has ${config.vocab} rows. Take the tokenizer that belongs to the model`,
      )
    }
  }

  /** Tokens of the prompt at the start of a text, as sentence-transformers counts them: without a special token at its end. */
  #promptLength(options: TextSettings): number {
    const prompt = promptOf(this.#loaded.modules, options)
    if (prompt === '') return 0
    const ids = this.tokenizer.encode(prompt, { specialTokens: true })
    const { sepId, eosId } = this.tokenizer
    const last = ids.at(-1)
    const isSpecial = last !== undefined && (last === sepId || last === eosId)
    return isSpecial ? ids.length - 1 : ids.length
  }

  /** The largest weight of each id (FlagEmbedding's `_process_token_weights`); ids that stand for no text are left out. */
  #sparse(ids: Uint32Array, weights: Float32Array): Record<number, number> {
    const { clsId, eosId, padId, unkId } = this.tokenizer
    const unused = [clsId, eosId, padId, unkId]
    const found: Record<number, number> = {}
    ids.forEach((id, i) => {
      const weight = weights[i] as number
      if (weight > (found[id] ?? 0) && !unused.includes(id)) found[id] = weight
      else if (Number.isNaN(weight)) found[id] = weight
    })
    return found
  }
}

/** The numbers of texts that came together: a row for each text, then one for each token of both heads. */
type Outputs = readonly [dense: Float32Array, sparse: Float32Array, colbert: Float32Array]

const rowOf = (rows: Float32Array, index: number, width: number): Float32Array =>
  rows.subarray(index * width, (index + 1) * width)

const isMulti = (value: unknown): value is MultiEmbedding =>
  Object(value).dense instanceof Float32Array && Array.isArray(Object(value).colbert)

function checkTexts(texts: readonly string[]): void {
  if (!Array.isArray(texts)) {
    throw new EmbedderError(
      'input-invalid',
      `texts: found ${show(texts)}; expected a list of strings`,
    )
  }
  for (const [i, text] of texts.entries()) {
    if (typeof text === 'string') continue
    throw new EmbedderError('input-invalid', `texts[${i}]: found ${show(text)}; expected a string`)
  }
}

/** Throws unless all numbers of a result are finite. */
function checkFinite(result: unknown, index: number, texts: readonly string[]): void {
  const { dense, sparse, colbert } = isMulti(result)
    ? result
    : { dense: result as Float32Array, sparse: {}, colbert: [] }
  const vectors = [dense, Float32Array.from(Object.values(sparse)), ...colbert]
  if (vectors.every((vector) => vector.every(Number.isFinite))) return
  throw new EmbedderError(
    'embedding-not-finite',
    `texts[${index}] (${show(texts[index])}): its embedding has numbers that are not finite. With f16 activations numbers may overflow: load with activations: "f32"; else the checkpoint holds numbers that are not finite`,
  )
}
