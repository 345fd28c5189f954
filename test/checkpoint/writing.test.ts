import { describe, expect, it } from 'vitest'
import { safetensorsLayout } from '../../src/checkpoint/writing.ts'
import { readTensors } from '../eval/read-tensors.ts'

/** A file with every tensor filled with its index. */
function fill(layout: ReturnType<typeof safetensorsLayout>, sizes: number[]) {
  const file = new Uint8Array(layout.size)
  file.set(layout.header)
  ;[...layout.starts.values()].forEach((start, i) => {
    file.set(new Uint8Array(new Float32Array(sizes[i]!).fill(i + 0.5).buffer), start)
  })
  return file
}

describe('safetensorsLayout', () => {
  it.each(['m', 'mo', 'a model', '大熊猫'])(
    'is read by the reader of checkpoints, metadata %s',
    async (model) => {
      const layout = safetensorsLayout(
        [
          { name: 'layer.4', dtype: 'f32', shape: [3, 5] },
          { name: 'layer.12', dtype: 'f32', shape: [2] },
        ],
        { model, pairs: '3' },
      )
      expect(layout.header.length % 8).toBe(0)
      const file = fill(layout, [15, 2])
      expect([...(await readTensors(file))]).toEqual([
        ['layer.4', { shape: [3, 5], numbers: Array(15).fill(0.5) }],
        ['layer.12', { shape: [2], numbers: [1.5, 1.5] }],
      ])
      const length = Number(new DataView(file.buffer).getBigUint64(0, true))
      const header = JSON.parse(new TextDecoder().decode(file.subarray(8, 8 + length)))
      expect(header.__metadata__).toEqual({ model, pairs: '3' })
    },
  )
})
