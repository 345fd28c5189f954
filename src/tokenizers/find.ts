import { unitsOf } from './buffers.ts'

/** Appends to `found` the start and end of each match in `data[start]` to `data[end - 1]`, in order. */
export type Find = (data: Uint16Array, start: number, end: number, found: number[]) => void

/** Finds a text that is not empty. */
export function findText(text: string): Find {
  const sought = unitsOf(text)
  const isAt = (data: Uint16Array, at: number): boolean => {
    for (let i = 0; i < sought.length; i++) if (data[at + i] !== sought[i]) return false
    return true
  }
  return (data, start, end, found) => {
    for (let at = start; at + sought.length <= end; ) {
      if (isAt(data, at)) {
        found.push(at, at + sought.length)
        at += sought.length
      } else at++
    }
  }
}
