/** Ranks of numbers from 1 up, equal ones sharing the mean of their ranks. */
function averageRanks(values: ArrayLike<number>): Float64Array {
  const order = Array.from(values, (_, i) => i).sort((a, b) => values[a]! - values[b]!)
  const ranks = new Float64Array(order.length)
  for (let start = 0; start < order.length; ) {
    let end = start + 1
    while (end < order.length && values[order[end]!] === values[order[start]!]) end++
    for (let i = start; i < end; i++) ranks[order[i]!] = (start + 1 + end) / 2
    start = end
  }
  return ranks
}

/** Bounds what rounding may put past a correlation of 1. */
const bounded = (correlation: number) => Math.min(1, Math.max(-1, correlation))

/**
 * Spearman's rank correlation of two lists of equal length, ties averaged (`scipy.stats.spearmanr`). `undefined` where
 * one of them is constant or has fewer than two numbers: there is no order to compare.
 */
export function spearman(a: ArrayLike<number>, b: ArrayLike<number>): number | undefined {
  const x = averageRanks(a)
  const y = averageRanks(b)
  const mean = (x.length + 1) / 2
  let xy = 0
  let xx = 0
  let yy = 0
  x.forEach((rank, i) => {
    const dx = rank - mean
    const dy = y[i]! - mean
    xy += dx * dy
    xx += dx * dx
    yy += dy * dy
  })
  return xx === 0 || yy === 0 ? undefined : bounded(xy / Math.sqrt(xx * yy))
}

/**
 * Kendall's tau-b of two lists of equal length (`scipy.stats.kendalltau`), in n log n steps: pairs in opposite order are
 * the exchanges that sort the second list once the first is in order (Knight 1966). `undefined` as in {@link spearman}.
 */
export function kendall(a: ArrayLike<number>, b: ArrayLike<number>): number | undefined {
  const order = Array.from(a, (_, i) => i).sort((i, j) => a[i]! - a[j]! || b[i]! - b[j]!)
  const x = order.map((i) => a[i]!)
  const y = order.map((i) => b[i]!)
  const all = pairsOf(x.length)
  const tiedX = tiedPairs(x, (i, j) => x[i] === x[j])
  const tiedBoth = tiedPairs(x, (i, j) => x[i] === x[j] && y[i] === y[j])
  const discordant = sortCountingExchanges(y)
  const tiedY = tiedPairs(y, (i, j) => y[i] === y[j])
  if (tiedX === all || tiedY === all) return undefined
  const concordant = all - tiedX - tiedY + tiedBoth - discordant
  return bounded((concordant - discordant) / Math.sqrt(all - tiedX) / Math.sqrt(all - tiedY))
}

const pairsOf = (count: number) => (count * (count - 1)) / 2

/** How many pairs of a list are in one run of equal values. */
function tiedPairs(values: readonly number[], equal: (i: number, j: number) => boolean): number {
  let pairs = 0
  let start = 0
  for (let i = 1; i <= values.length; i++) {
    if (i < values.length && equal(start, i)) continue
    pairs += pairsOf(i - start)
    start = i
  }
  return pairs
}

/** Sorts by merging runs of growing length; gives how many pairs stood in the wrong order. */
function sortCountingExchanges(values: number[]): number {
  let exchanges = 0
  for (let width = 1; width < values.length; width *= 2) {
    for (let start = 0; start + width < values.length; start += 2 * width) {
      const left = values.slice(start, start + width)
      const right = values.slice(start + width, start + 2 * width)
      let l = 0
      let r = 0
      while (l < left.length || r < right.length) {
        const takeRight = l === left.length || (r < right.length && right[r]! < left[l]!)
        if (takeRight) exchanges += left.length - l
        values[start + l + r] = takeRight ? right[r++]! : left[l++]!
      }
    }
  }
  return exchanges
}
