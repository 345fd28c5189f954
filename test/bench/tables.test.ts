import { describe, expect, test } from 'vitest'
import { matmulLines, soonerThanPeers, spread } from '../../bench/bars.mjs'
import { profileTable, shareOf, shares } from '../../bench/profile-table.mjs'
import { grid, summary } from '../../bench/report.mjs'

/** The cells of a printed table's rows, its head first. */
const cells = (text: string) =>
  text
    .split('\n')
    .filter((line) => line.startsWith('│'))
    .map((line) =>
      line
        .split('│')
        .slice(1, -1)
        .map((cell) => cell.trim()),
    )

test('a grid has its head and its rows, and no lines between these', () => {
  const text = grid(
    ['', 'ms'],
    [
      ['one', 1],
      ['two', 2],
    ],
  )
  expect(cells(text)).toEqual([
    ['', 'ms'],
    ['one', '1'],
    ['two', '2'],
  ])
  expect(text.split('\n')).toHaveLength(5)
})

test('a contestant is summed up by medians, its cold time being load and first run', () => {
  const report = (ms: number, others: number) => ({
    values: [1, 2],
    timing: { ms, cpuMs: 2 * ms, others },
    peakMiB: ms / 10,
  })
  const entry = {
    name: 'it',
    contestant: undefined as never,
    facts: {},
    loadMs: 500,
    cold: report(900, 1),
    runs: [report(100, 0.1), report(300, 0.3), report(200, 0.2)],
  }
  const found = summary(entry, 1000, [1, 2.5])
  expect(found).toMatchObject({
    medianMs: 200,
    tokensPerSecond: 5000,
    bestMs: 100,
    cpuMs: 400,
    otherCores: 0.2,
    coldMs: 1400,
    peakMiB: 90,
    largestDifference: 0.5,
  })
})

describe('the profile', () => {
  const row = (kernel: string, operation: string, ms: number, flops = 0, bytes = 0) => {
    return { kernel, operation, calls: 2, ms, flops, bytes }
  }
  const rows = [
    row('layer_norm', 'roberta.encoder.layer.*.output.LayerNorm', 10, 1e6, 20e6),
    row('linear_subgroup', 'roberta.encoder.layer.*.output.dense', 60, 1.2e9, 6e6),
    row('attention_subgroup', 'attention', 30, 0.3e9, 3e6),
  ]

  test('has the longest first, with arithmetic, traffic and share, and all in the last row', () => {
    const [head, ...body] = cells(profileTable(rows))
    expect(head).toEqual(['operation', 'kernel', 'calls', 'time', 'GFLOP/s', 'GB/s', 'share'])
    expect(body).toEqual([
      ['layer.*.output.dense', 'linear_subgroup', '2', '60.0 ms', '20.0', '0.10', '60.0%'],
      ['attention', 'attention_subgroup', '2', '30.0 ms', '10.0', '0.10', '30.0%'],
      ['layer.*.output.LayerNorm', 'layer_norm', '2', '10.0 ms', '0.1', '2.00', '10.0%'],
      ['all', '', '6', '100.0 ms', '15.0', '0.29', '100.0%'],
    ])
  })

  test('is shared out by kinds of kernel', () => {
    expect(shareOf(rows, 'attention')).toBeCloseTo(0.3)
    const { linear, attention, rest } = shares(rows)
    expect([linear, attention, rest].map((share) => share.toFixed(3))).toEqual([
      '0.600',
      '0.300',
      '0.100',
    ])
  })
})

describe('bars', () => {
  const row = (kernel: string, shape: string, gflops: number) => {
    return { kernel, dtype: 'f16', shape, gflops }
  }

  test('the best kernel at the shape of the bar counts, no other shape', () => {
    const rows = [
      row('linear_tiled', '512x768x3072', 5),
      row('linear_subgroup', '512x768x3072', 20),
      row('linear_subgroup', '512x384x384', 90),
    ]
    expect(matmulLines(rows, 50, 10)).toEqual([
      'best at 512x768x3072: linear_subgroup f16, 20.0 GFLOP/s',
      '  0.40 of the arithmetic ceiling (bar 0.4: met)',
      "  2.00 times onnxruntime's WebGPU MatMul (bar 2.5: missed)",
    ])
    expect(matmulLines(rows, 60, undefined)).toEqual([
      'best at 512x768x3072: linear_subgroup f16, 20.0 GFLOP/s',
      '  0.33 of the arithmetic ceiling (bar 0.4: missed)',
    ])
  })

  test('start-up is compared with the better peer', () => {
    const ours = { name: 'dawnrank', peer: false, ms: 1000 }
    const peers = [
      { name: 'slow', peer: true, ms: 9000 },
      { name: 'quick', peer: true, ms: 2500 },
    ]
    const found = { peer: 'quick', ratio: 2.5, verdict: '(bar 2: met)' }
    expect(soonerThanPeers([ours, ...peers])).toEqual(found)
    expect(soonerThanPeers([{ ...ours, ms: 1500 }, ...peers])?.verdict).toBe('(bar 2: missed)')
    expect(soonerThanPeers([ours])).toBeUndefined()
  })

  test('flatness is the largest over the smallest', () => {
    expect(spread([2, 1, 3])).toBe(3)
    expect(spread([5, 5])).toBe(1)
  })
})
