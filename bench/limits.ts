/**
 * What the adapter does at most: arithmetic without memory traffic, and memory traffic without arithmetic. As a
 * contestant its values are GFLOP/s and GB/s, one for each variant.
 */
import { mapForReading } from '#platform'
import { Gpu } from '../src/gpu/device.ts'
import { serve } from './contestant.mjs'
import fma from './fma.wgsl'
import stream from './stream.wgsl'

/** A submission takes at least as long, so that its fixed costs do not count. */
const enoughMs = 50
const mostRepeats = 2 ** 16

const groups = 1024
/** Multiply-adds of a turn of fma.wgsl in each chain. */
const unrolled = 8
/** Each of the two buffers, unless a binding spans less: well above any cache. */
const bufferBytes = 2 ** 28

const widths = { f32: 1, vec4f: 4 } as const
type Vector = keyof typeof widths

/** One way to reach for a limit. */
interface Variant {
  readonly limit: 'arithmetic' | 'memory'
  readonly name: string
  /** GFLOP or GB of a repeat. */
  readonly amount: number
  /** Records so many repeats. */
  record(encoder: GPUCommandEncoder, repeats: number): void
  /** Repeats that take long enough, once they are known. */
  repeats: number
}

interface Buffers {
  readonly x: GPUBuffer
  readonly y: GPUBuffer
  readonly params: GPUBuffer
  /** Can be read once the device is done. */
  readonly done: GPUBuffer
}

async function makePipeline(
  { device }: Gpu,
  source: string,
  entryPoint: string,
  head: Record<string, string>,
): Promise<GPUComputePipeline> {
  const { V, ...sizes } = head
  const lines = Object.entries(sizes).map(([name, size]) => `const ${name} = ${size}u;`)
  const code = [`alias V = ${V};`, ...lines, source].join('\n')
  const module = device.createShaderModule({ code })
  return device.createComputePipelineAsync({ layout: 'auto', compute: { module, entryPoint } })
}

/** Binds buffers to a pipeline, params first. */
function bind({ device }: Gpu, pipeline: GPUComputePipeline, buffers: GPUBuffer[]): GPUBindGroup {
  const entries = buffers.map((buffer, binding) => ({ binding, resource: { buffer } }))
  return device.createBindGroup({ layout: pipeline.getBindGroupLayout(0), entries })
}

function dispatch(
  encoder: GPUCommandEncoder,
  pipeline: GPUComputePipeline,
  group: GPUBindGroup,
  times: number,
): void {
  const pass = encoder.beginComputePass()
  pass.setPipeline(pipeline)
  pass.setBindGroup(0, group)
  for (let i = 0; i < times; i++) pass.dispatchWorkgroups(groups)
  pass.end()
}

async function arithmetic(gpu: Gpu, { y, params }: Buffers): Promise<Variant[]> {
  const { subgroupSize, maxInvocations } = gpu.facts
  const sizes = [...new Set([subgroupSize || 64, 64, 256])].filter((size) => size <= maxInvocations)
  const chains: [Vector, number[]][] = [
    ['f32', [4, 8, 12, 16]],
    ['vec4f', [2, 4, 8]],
  ]
  const plans = chains.flatMap(([vector, counts]) =>
    counts.flatMap((count) => sizes.map((size) => ({ vector, count, size }))),
  )
  return Promise.all(
    plans.map(async ({ vector, count, size }) => {
      const head = { V: vector, CHAINS: `${count}`, SIZE: `${size}` }
      const pipeline = await makePipeline(gpu, fma, 'main', head)
      const group = bind(gpu, pipeline, [params, y])
      const each = 2 * unrolled * widths[vector] * count
      return {
        limit: 'arithmetic' as const,
        name: `${vector} x ${count}, workgroups of ${size}`,
        amount: (groups * size * each) / 1e9,
        repeats: 16,
        record(encoder: GPUCommandEncoder, repeats: number) {
          const data = new DataView(new ArrayBuffer(16))
          data.setUint32(0, repeats, true)
          data.setFloat32(4, 0.5, true)
          data.setFloat32(8, 0.5, true)
          gpu.device.queue.writeBuffer(params, 0, data.buffer)
          dispatch(encoder, pipeline, group, 1)
        },
      }
    }),
  )
}

async function memory(gpu: Gpu, { x, y, params }: Buffers): Promise<Variant[]> {
  const plans = (['load', 'copy'] as const).flatMap((entry) =>
    (['f32', 'vec4f'] as const).flatMap((vector) =>
      [64, 256].map((size) => ({ entry, vector, size })),
    ),
  )
  const kernels = plans.map(async ({ entry, vector, size }) => {
    const head = { V: vector, SIZE: `${size}` }
    const pipeline = await makePipeline(gpu, stream, entry, head)
    const group = bind(gpu, pipeline, [params, x, y])
    const count = x.size / (4 * widths[vector] * groups)
    return {
      limit: 'memory' as const,
      name: `${entry} ${vector}, workgroups of ${size}`,
      amount: (entry === 'copy' ? 2 : 1) * (x.size / 1e9),
      repeats: 1,
      record(encoder: GPUCommandEncoder, repeats: number) {
        gpu.device.queue.writeBuffer(params, 0, new Uint32Array([count, 0, 0, 0]))
        dispatch(encoder, pipeline, group, repeats)
      },
    }
  })
  const queue: Variant = {
    limit: 'memory',
    name: 'copy by the queue, no kernel',
    amount: (2 * x.size) / 1e9,
    repeats: 1,
    record(encoder, repeats) {
      for (let i = 0; i < repeats; i++) encoder.copyBufferToBuffer(x, 0, y, 0, x.size)
    },
  }
  return [...(await Promise.all(kernels)), queue]
}

/** GFLOP/s or GB/s of a variant. */
async function measure({ device }: Gpu, { y, done }: Buffers, variant: Variant): Promise<number> {
  for (; ; variant.repeats *= 4) {
    const encoder = device.createCommandEncoder()
    variant.record(encoder, variant.repeats)
    encoder.copyBufferToBuffer(y, 0, done, 0, 4)
    await device.queue.onSubmittedWorkDone()
    const start = performance.now()
    device.queue.submit([encoder.finish()])
    await mapForReading(done)
    const ms = performance.now() - start
    done.unmap()
    if (ms >= enoughMs || variant.repeats >= mostRepeats) {
      return (variant.amount * variant.repeats * 1000) / ms
    }
  }
}

/** Buffers with numbers in them: pages that were never written may all be one page of zeros. */
function makeBuffers({ device, facts, memory: arena }: Gpu): Buffers {
  const bytes = Math.min(bufferBytes, facts.maxBinding - (facts.maxBinding % 2 ** 20))
  const { STORAGE, UNIFORM, COPY_DST, COPY_SRC, MAP_READ } = GPUBufferUsage
  const make = (name: string) => {
    const buffer = arena.create(name, bytes, STORAGE | COPY_DST | COPY_SRC)
    const piece = new Float32Array(2 ** 20).fill(1)
    for (let at = 0; at < bytes; at += piece.byteLength) {
      device.queue.writeBuffer(buffer, at, piece, 0, Math.min(piece.length, (bytes - at) / 4))
    }
    return buffer
  }
  return {
    x: make('x'),
    y: make('y'),
    params: arena.create('params', 16, UNIFORM | COPY_DST),
    done: arena.create('done', 4, MAP_READ | COPY_DST),
  }
}

serve(async () => {
  const gpu = await Gpu.open()
  const buffers = makeBuffers(gpu)
  const variants = [...(await arithmetic(gpu, buffers)), ...(await memory(gpu, buffers))]
  return {
    facts: {
      names: variants.map(({ name }) => name),
      limits: variants.map(({ limit }) => limit),
      bufferMiB: buffers.x.size / 2 ** 20,
      software: gpu.facts.software,
    },
    run: async () => {
      const found: number[] = []
      for (const variant of variants) found.push(await measure(gpu, buffers, variant))
      return found
    },
  }
})
