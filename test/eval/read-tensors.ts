import { readHeader } from '../../src/checkpoint/safetensors.ts'
import { blobSource } from '../../src/platform/files.ts'

/** The f32 and i32 tensors of a safetensors file, as the reader of checkpoints finds them. */
export async function readTensors(
  bytes: Uint8Array<ArrayBuffer>,
): Promise<Map<string, { shape: readonly number[]; numbers: number[] }>> {
  const source = blobSource('written', new Blob([bytes]))
  const tensors = await readHeader(source, 'written')
  return new Map(
    tensors.map(({ name, dtype, shape, start, bytes: size }) => {
      if (dtype !== 'f32' && dtype !== 'i32') throw new Error(`${name} is ${dtype}`)
      const { buffer } = bytes.slice(start, start + size)
      const numbers = [...(dtype === 'i32' ? new Int32Array(buffer) : new Float32Array(buffer))]
      return [name, { shape, numbers }]
    }),
  )
}
