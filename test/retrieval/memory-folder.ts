import type { IndexFolder } from '../../src/retrieval/index-files.ts'

/** A folder in memory that fails, as if the process were killed, after so many bytes are written. */
export function memoryFolder(files = new Map<string, Uint8Array>()) {
  let left = Number.POSITIVE_INFINITY
  const write = (file: string, start: number, bytes: Uint8Array) => {
    const part = bytes.subarray(0, left)
    const bytesNow = new Uint8Array(start + part.length)
    bytesNow.set(files.get(file)?.subarray(0, start) ?? [])
    bytesNow.set(part, start)
    files.set(file, bytesNow)
    left -= part.length
    if (part.length < bytes.length || left === 0) {
      left = 0
      throw new Error('killed')
    }
  }
  const folder: IndexFolder = {
    name: 'memory',
    open: async (file) => {
      const bytes = files.get(file)
      return (
        bytes && {
          name: `memory/${file}`,
          size: bytes.length,
          read: async (start, end) => Uint8Array.from(bytes.subarray(start, end)),
          close: async () => {},
        }
      )
    },
    append: async (file, bytes) => write(file, files.get(file)?.length ?? 0, bytes),
    truncate: async (file, size) => {
      const bytes = files.get(file)
      if (bytes) files.set(file, bytes.slice(0, size))
    },
    replace: async (file, text) => {
      if (left === 0) throw new Error('killed')
      files.set(file, new TextEncoder().encode(text))
    },
  }
  return {
    folder,
    files,
    killAfter(bytes: number) {
      left = bytes
    },
  }
}
