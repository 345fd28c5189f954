import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import { Admission } from '../../src/server/admission.ts'
import type { ServerError } from '../../src/server/errors.ts'

const limits = { maxConcurrentRequests: 3, maxWaitingDocuments: 1000, maxWaitMs: 10_000 }

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['performance'] })
})
afterEach(() => {
  vi.useRealTimers()
})

/** The seconds after which a request with so many documents is to come back; undefined where it is accepted. */
function retryAfter(admission: Admission, documents: number): number | undefined {
  try {
    admission.enter(documents).leave()
    return undefined
  } catch (error) {
    expect((error as ServerError).code).toBe('overloaded')
    return (error as ServerError).retryAfter
  }
}

it('counts requests, and documents without a score', () => {
  const admission = new Admission(limits)
  const [one, two] = [admission.enter(5), admission.enter(7)]
  expect([admission.requests, admission.waiting]).toEqual([2, 12])
  one.progress(3)
  one.progress(2)
  expect(admission.waiting).toBe(9)
  one.progress(99)
  one.leave()
  one.leave()
  one.progress(1)
  expect([admission.requests, admission.waiting]).toEqual([1, 7])
  two.leave()
  expect([admission.requests, admission.waiting]).toEqual([0, 0])
})

it('tells by its speed when there is room', () => {
  const admission = new Admission(limits)
  const tickets = [30, 30, 60].map((documents) => admission.enter(documents))
  // Nothing is done yet, so that its speed is unknown.
  expect(retryAfter(admission, 1)).toBe(1)
  vi.advanceTimersByTime(5000)
  tickets[0]!.progress(10)
  // 110 documents of 3 requests wait, 2 in a second are done.
  expect(retryAfter(admission, 1)).toBe(Math.ceil(110 / 3 / 2))
  tickets[0]!.leave()
  expect(retryAfter(admission, 1)).toBeUndefined()
})

it('never tells more than a minute', () => {
  const admission = new Admission(limits)
  const [first] = [900, 1, 1].map((documents) => admission.enter(documents))
  vi.advanceTimersByTime(100_000)
  first!.progress(1)
  expect(retryAfter(admission, 1)).toBe(60)
})

it('refuses what would wait longer than a request may take', () => {
  const admission = new Admission({ ...limits, maxConcurrentRequests: 100 })
  const first = admission.enter(600)
  vi.advanceTimersByTime(5000)
  first.progress(100)
  // 20 in a second: 500 wait 25 s.
  expect(retryAfter(admission, 100)).toBeGreaterThanOrEqual(1)
  first.progress(550)
  expect(retryAfter(admission, 100)).toBeUndefined()
})

it('resolves when it is empty', async () => {
  const admission = new Admission(limits)
  await admission.whenEmpty()
  const ticket = admission.enter(1)
  let isEmpty = false
  const empty = admission.whenEmpty().then(() => {
    isEmpty = true
  })
  await Promise.resolve()
  expect(isEmpty).toBe(false)
  ticket.leave()
  await empty
})
