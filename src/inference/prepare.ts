/** What loading has in common, whatever is computed of the states. */
import type { ReadOptions, ReadProgress } from '../checkpoint/index.ts'
import type { Gpu } from '../gpu/device.ts'
import { type Batch, emptyPair, packBatch } from '../models/batch.ts'
import { ModelError } from '../models/errors.ts'
import { forgetConstants, type PlanTape, type Tape } from '../tensor/tape.ts'
import type { Tensor } from '../tensor/tensor.ts'
import type { Engine } from './engine.ts'
import { runTasks } from './tasks.ts'

/** Bytes on the device of a model whose kernels are first run while it is read. */
const smallModelBytes = 64 * 2 ** 20

/** Tokens of a batch unless the caller says otherwise: on a processor a batch this long already takes seconds. */
const defaultBatchTokens = { software: 1024, gpu: 16384 }

/** Weights that are declared. */
interface DeclaredWeights {
  readonly bytes: { readonly device: number }
  load(options: ReadOptions): Promise<void>
}

/** How a model is prepared. */
interface Preparation {
  /** Records a pass as calls do. */
  record(tape: Tape, batch: Batch): Tensor[]
  readonly signal: AbortSignal | undefined
  onProgress(progress: ReadProgress): void
}

/**
 * Reads the weights while kernels compile, and dispatches each kernel once, on whatever the weights are by then: some
 * adapters compile only then. Settles when nothing of it runs any more.
 */
export async function prepare(
  engine: Engine,
  weights: DeclaredWeights,
  { kernels }: PlanTape,
  { record, signal, onProgress }: Preparation,
): Promise<void> {
  await runTasks<unknown>(signal, 3, async ({ stop, add }) => {
    const reading = weights.load({ signal: stop, onProgress })
    await add(() => reading)
    await add(async () => {
      await engine.gpu.compile(kernels)
      // Until it is done, the host holds what it hands to the device, which must not be much.
      if (weights.bytes.device >= smallModelBytes) await reading
      const batch = packBatch([emptyPair(2)])
      await engine.run((tape) => record(tape, batch), stop)
    })
  })
  // Made of weights that were not all read.
  forgetConstants(engine.gpu)
}

/** The batch size, which halves until the adapter binds what it needs, unless the caller chose it. */
export function planBatches(
  { facts: { software, maxBinding } }: Gpu,
  chosen: number | undefined,
  planOf: (tokens: number) => PlanTape,
): { maxBatchTokens: number; plan: PlanTape } {
  let maxBatchTokens = chosen ?? defaultBatchTokens[software ? 'software' : 'gpu']
  while (true) {
    const plan = planOf(maxBatchTokens)
    if (plan.largestBytes <= maxBinding) return { maxBatchTokens, plan }
    if (chosen !== undefined || maxBatchTokens <= 1) {
      throw new ModelError(
        'memory-insufficient',
        `a batch of ${maxBatchTokens} tokens takes ${plan.largestBytes} bytes in one buffer; this adapter binds at most ${maxBinding}. Lower maxBatchTokens`,
      )
    }
    maxBatchTokens = Math.floor(maxBatchTokens / 2)
  }
}

/** The sizes of a config. */
export const numbersOf = (config: object): Record<string, number> =>
  Object.fromEntries(Object.entries(config).filter(([, value]) => typeof value === 'number'))
