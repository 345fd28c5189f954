/**
 * A profile of an encoder's forward pass as a contestant: for each kernel and operation the calls, the time by timestamp
 * queries, the arithmetic done and the bytes that it moves at least. A run takes lengths of sequences; ids do not matter.
 */
import { openFolder } from '#platform'
import { Checkpoint } from '../src/checkpoint/index.ts'
import { Gpu } from '../src/gpu/device.ts'
import type { Block } from '../src/gpu/memory.ts'
import { operationOf } from '../src/gpu/profile.ts'
import { packBatch, type Sequence } from '../src/models/batch.ts'
import { declareModel, scoreBatch } from '../src/models/model.ts'
import { families } from '../src/models/registry.ts'
import { Weights } from '../src/models/weights.ts'
import { type Operation, PlanTape, RecordTape } from '../src/tensor/tape.ts'
import { dtypeBytes, elements, type Tensor } from '../src/tensor/tensor.ts'
import { serve } from './contestant.mjs'

/** Arithmetic and traffic of all dispatches of one row of the profile. */
interface Work {
  flops: number
  bytes: number
}

/** What a binding is bound to: a tensor, or a weight, whose block is as large as what the kernel packed. */
type Bound = { readonly block: Block } & Partial<Tensor> & { readonly kernel?: unknown }

/** A tape that notes the work of each operation as it records it. */
class CountingTape extends RecordTape {
  constructor(
    gpu: Gpu,
    readonly work: Map<string, Work>,
  ) {
    super(gpu, 'f32', 'profiled pass')
  }

  override run(operation: Operation): void {
    const { kernel, label, tensors, flops = 0 } = operation
    const key = `${kernel.shader} ${operationOf(label)}`
    const row = this.work.get(key) ?? { flops: 0, bytes: 0 }
    row.flops += flops
    // a tensor that stands in for a binding that is not read counts once
    for (const bound of new Set<Bound>(Object.values(tensors))) row.bytes += bytesOf(bound)
    this.work.set(key, row)
    super.run(operation)
  }
}

/** Activations lie in blocks of the arena, which may be larger than they are. */
function bytesOf({ block, shape, dtype, kernel }: Bound): number {
  return kernel || !shape || !dtype ? block.bytes : elements(shape) * dtypeBytes[dtype]
}

/** Sequences of these lengths, cut into batches as a reranker does. */
function batchesOf(lengths: readonly number[], mostTokens: number): Sequence[][] {
  const batches: Sequence[][] = [[]]
  let tokens = 0
  for (const length of lengths) {
    const batch = batches.at(-1) as Sequence[]
    if (batch.length > 0 && tokens + length > mostTokens) {
      batches.push([{ ids: new Uint32Array(length) }])
      tokens = length
    } else {
      batch.push({ ids: new Uint32Array(length) })
      tokens += length
    }
  }
  return batches
}

serve(async ({ model: place, batchTokens }: { model: string; batchTokens: number }) => {
  const gpu = await Gpu.open({ profile: true })
  const { profile } = gpu
  if (!profile) throw new Error('this adapter has no timestamp queries')
  const checkpoint = await Checkpoint.open(await openFolder(place))
  const { config } = checkpoint
  const weights = new Weights(gpu, checkpoint, 'auto')
  const family = families[config.strings('architectures')[0] as string]
  if (!family) throw new Error(`${place}: not a model that is known`)
  const model = declareModel(await family.load(), { config, weights })
  const plan = new PlanTape(gpu, 'f32')
  scoreBatch(model, plan, packBatch([{ ids: new Uint32Array(2) }]))
  await gpu.compile(plan.kernels)
  await weights.load({})
  return {
    facts: {},
    run: async ({ lengths }: { lengths: number[] }) => {
      const work = new Map<string, Work>()
      profile.rows.clear()
      for (const batch of batchesOf(lengths, batchTokens)) {
        const tape = new CountingTape(gpu, work)
        await tape.read(scoreBatch(model, tape, packBatch(batch)))
      }
      const rows = [...profile.rows].map(([key, { kernel, operation, calls, milliseconds }]) => {
        return { kernel, operation, calls, ms: milliseconds, ...work.get(key) }
      })
      return { values: [rows.reduce((sum, { ms }) => sum + ms, 0)], details: rows }
    },
  }
})
