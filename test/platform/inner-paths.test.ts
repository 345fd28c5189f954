import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { expect, it } from 'vitest'
import { blobFolder, type Folder, readWhole } from '../../src/platform/files.ts'
import { openFolder } from '../../src/platform/server.ts'
import { fixtureFolder } from '../fixtures.ts'

const place = fixtureFolder('embed-bert-cls')
const outside = [
  '../model/config.json',
  '1_Pooling/../config.json',
  '/etc/hostname',
  '1_Pooling//config.json',
  './config.json',
  '..',
]

async function check(folder: Folder): Promise<void> {
  const bytes = await readWhole(folder, '1_Pooling/config.json')
  expect(JSON.parse(new TextDecoder().decode(bytes)).pooling_mode_cls_token).toBe(true)
  for (const path of outside) expect(await folder.open(path), path).toBeUndefined()
}

it('a folder of the disk opens files below it, and none outside', async () => {
  await check(await openFolder(place))
})

it('a folder of files by path does', async () => {
  const bytes = await readWhole(await openFolder(place), '1_Pooling/config.json')
  const blob = new Blob([bytes as Uint8Array<ArrayBuffer>])
  await check(blobFolder({ '1_Pooling/config.json': blob, 'config.json': blob }))
})

it('a URL does', async () => {
  const asked: string[] = []
  const bytes = await readWhole(await openFolder(place), '1_Pooling/config.json')
  const server = createServer((request, response) => {
    asked.push(String(request.url))
    response.writeHead(request.url === '/model/1_Pooling/config.json' ? 200 : 404)
    response.end(request.url === '/model/1_Pooling/config.json' ? bytes : '')
  }).listen(0)
  try {
    const { port } = server.address() as AddressInfo
    await check(await openFolder(new URL(`http://localhost:${port}/model`)))
    expect(new Set(asked)).toEqual(new Set(['/model/1_Pooling/config.json']))
  } finally {
    server.close()
  }
})
