import { createHash } from 'node:crypto'
import { expect, it } from 'vitest'
import { Sha256 } from '../../src/hub/sha256.ts'
import { noise } from './mock-repos.mjs'

it.each([0, 1, 55, 56, 63, 64, 65, 119, 120, 1000, 100_003])(
  'hashes %d bytes, in any pieces',
  (n) => {
    const bytes = noise(n, 7)
    const expected = createHash('sha256').update(bytes).digest('hex')
    for (const piece of [1, 63, 64, 65, 4096, n + 1]) {
      if (n / piece > 2000) continue
      const hash = new Sha256()
      for (let at = 0; at < n; at += piece) hash.update(bytes.subarray(at, at + piece))
      expect(hash.digest()).toBe(expected)
    }
  },
)
