/** Files beyond 4 GiB: sparse ones, which take no room on the disk. */
import { closeSync, openSync, readSync } from 'node:fs'
import { mkdtemp, open, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { Checkpoint } from '../../src/checkpoint/index.ts'
import { blobFolder, type Folder } from '../../src/platform/files.ts'
import { openFolder } from '../../src/platform/server.ts'
import { safetensors } from '../mutations.ts'
import { entry, expectFault } from './folders.ts'

const rows = 1_200_000
const hidden = 2048
const largeBytes = rows * hidden * 2
const tail = Uint8Array.from({ length: 16 }, (_, i) => i + 1)

let path = ''
let start = 0

beforeAll(async () => {
  path = await mkdtemp(join(tmpdir(), 'dawnrank-'))
  const header = safetensors(
    JSON.stringify({
      large: entry('F16', [rows, hidden], 0, largeBytes),
      tail: entry('F32', [4], largeBytes, largeBytes + 16),
    }),
    new Uint8Array(),
  )
  start = header.length
  const file = await open(join(path, 'model.safetensors'), 'w')
  await file.write(header, 0, header.length, 0)
  await file.write(tail, 0, 8, start + largeBytes - 8)
  await file.write(tail, 0, 16, start + largeBytes)
  await file.close()
  const config = await open(join(path, 'config.json'), 'w')
  await config.writeFile('{}')
  await config.close()
})

afterAll(() => rm(path, { recursive: true }))

/** A file as a Blob. Browsers give one of any size; Node 20's own ends at 4 GiB. */
class FileBlob extends Blob {
  readonly #path: string
  readonly #size: number

  constructor(path: string, size: number) {
    super()
    this.#path = path
    this.#size = size
  }

  override get size(): number {
    return this.#size
  }

  override slice(from = 0, to = this.#size): Blob {
    const bytes = new Uint8Array(Math.min(to, this.#size) - from)
    const file = openSync(this.#path, 'r')
    readSync(file, bytes, 0, bytes.length, from)
    closeSync(file)
    return new Blob([bytes])
  }
}

const asBlobs = (): Folder =>
  blobFolder({
    'config.json': new Blob(['{}']),
    'model.safetensors': new FileBlob(join(path, 'model.safetensors'), start + largeBytes + 16),
  })

it.each([
  ['disk', () => openFolder(path)],
  ['a Blob', asBlobs],
])('reads beyond 4 GiB from %s', async (_, folder) => {
  const checkpoint = await Checkpoint.open(await folder())
  const large = checkpoint.tensor('large', [rows, hidden])
  expect(large.bytes).toBeGreaterThan(2 ** 32)
  expect(large.start).toBe(start)
  expect(await checkpoint.read(large, largeBytes - 12)).toEqual(
    Uint8Array.from([0, 0, 0, 0, ...tail.subarray(0, 8)]),
  )
  expect(await checkpoint.read(checkpoint.tensor('tail', [4]))).toEqual(tail)
  expect(await checkpoint.read(large, 2 ** 32 - 4, 2 ** 32 + 4)).toEqual(new Uint8Array(8))
  await checkpoint.close()
})

it('finds a file of this size cut short', async () => {
  const file = await open(join(path, 'model.safetensors'), 'r+')
  await file.truncate(start + largeBytes + 15)
  await file.close()
  await expectFault(
    Checkpoint.open(await openFolder(path)),
    'tensor-invalid',
    `tensor "tail": the data ends at byte ${start + largeBytes + 16} of the file, which has ${start + largeBytes + 15}`,
  )
})
