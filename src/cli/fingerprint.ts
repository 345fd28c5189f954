import { createHash } from 'node:crypto'
import { open, readdir } from 'node:fs/promises'
import { join } from 'node:path'
import type { CliReranker } from './io.ts'

const pieces = 64
const pieceSize = 1 << 14

/** What distinguishes a model's files from others: the commit of a model of the hub, else what is in its folder. */
export const modelFiles = async ({ model, commit }: CliReranker['info']): Promise<string> =>
  commit ?? (await fingerprintFolder(model))

/**
 * SHA-256 over the names, the sizes and evenly spaced samples of a model folder's files. Training
 * changes nearly every weight, so that 1 MiB of each file distinguishes two models without reading all.
 */
export async function fingerprintFolder(folder: string): Promise<string> {
  const hash = createHash('sha256')
  const names = (await readdir(folder)).filter((name) => /\.(json|safetensors|model)$/.test(name))
  for (const name of names.sort()) {
    const file = await open(join(folder, name))
    try {
      const { size } = await file.stat()
      hash.update(`${name}\n${size}\n`)
      const step = Math.max(pieceSize, Math.floor(size / pieces))
      for (let at = 0; at < size; at += step) {
        const buffer = new Uint8Array(Math.min(pieceSize, size - at))
        await file.read(buffer, 0, buffer.length, at)
        hash.update(buffer)
      }
    } finally {
      await file.close()
    }
  }
  return hash.digest('hex')
}
