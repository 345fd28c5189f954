import { expect, it } from 'vitest'
import type { Folder } from '../../src/platform/files.ts'
import { openFolder } from '../../src/platform/server.ts'
import { Reranker } from '../../src/rerankers/index.ts'
import { fixtureFolder, openDevice, readCrossFixtures } from '../fixtures.ts'
import { distance } from './conformance.ts'

/** A folder whose weights are read, past the header, only once the gate is open. */
function gated(folder: Folder, gate: Promise<void>): Folder {
  return {
    ...folder,
    async open(file) {
      const source = await folder.open(file)
      if (!source || !file.endsWith('.safetensors')) return source
      let reads = 0
      return {
        name: source.name,
        size: source.size,
        close: () => source.close(),
        async read(start, end) {
          if (reads++ > 1) await gate
          return source.read(start, end)
        },
      }
    },
  }
}

it('what a first pass made of weights that were not read yet is not kept', async () => {
  const device = await openDevice()
  let open = () => {}
  const gate = new Promise<void>((resolve) => {
    open = resolve
  })
  const submit = device.queue.submit.bind(device.queue)
  device.queue.submit = (commands) => {
    submit(commands)
    void device.queue.onSubmittedWorkDone().then(open)
  }
  const folder = gated(await openFolder(fixtureFolder('deberta-v2')), gate)
  const reranker = await Reranker.load(folder, { dtype: 'f32', device })
  const [{ query, passage, reference }] = readCrossFixtures('deberta-v2/cross-encoder.json')
    .cases as [ReturnType<typeof readCrossFixtures>['cases'][number]]
  const score = await reranker.computeScore([query, passage])
  expect(distance(score, reference.logit)).toBeLessThan(1e-4)
  reranker.dispose()
  device.destroy()
})
