import type { Folder } from '../src/platform/files.ts'
import { openFolder } from '../src/platform/server.ts'
import { fixtureFolder, openDevice } from './fixtures.ts'

/** A folder whose weights are read, past the header, only once the gate is open. */
function gated(folder: Folder, gate: Promise<void>): Folder {
  return {
    ...folder,
    async open(file) {
      const source = await folder.open(file)
      if (file !== 'model.safetensors' || !source) return source
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

/** The model of a fixture, whose weights are read only after the first pass on the device is done. */
export async function readAfterFirstPass(
  name: string,
): Promise<{ folder: Folder; device: GPUDevice }> {
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
  return { folder: gated(await openFolder(fixtureFolder(name)), gate), device }
}
