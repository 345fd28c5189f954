import { expect, it } from 'vitest'
import { overlap } from '../../src/eval/overlap.ts'

it.each([1, 2, 3])('%i calls run at a time, and results come in order', async (width) => {
  const running = new Set<number>()
  let most = 0
  const start = async (item: number) => {
    running.add(item)
    most = Math.max(most, running.size)
    // Later ones end sooner.
    for (let i = item; i < 12; i++) await null
    running.delete(item)
    return 10 * item
  }
  const results: number[] = []
  for await (const result of overlap([0, 1, 2, 3, 4, 5, 6], start, width)) results.push(result)
  expect(results).toEqual([0, 10, 20, 30, 40, 50, 60])
  expect(most).toBe(width)
})

it('the first error in order is thrown in its turn', async () => {
  const results: number[] = []
  const start = async (item: number) => {
    if (item > 1) throw new Error(`item ${item}`)
    return item
  }
  const consume = async () => {
    for await (const result of overlap([0, 1, 2, 3], start)) results.push(result)
  }
  await expect(consume()).rejects.toThrow('item 2')
  expect(results).toEqual([0, 1])
})
