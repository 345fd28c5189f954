/** A configuration by what it costs and what it gives. */
export interface CostPoint {
  readonly cost: number
  readonly quality: number
}

/**
 * The points that no other dominates, by cost: none is as cheap and better, or cheaper and as good. Of equal ones the first is
 * kept.
 */
export function paretoFront<P extends CostPoint>(points: readonly P[]): P[] {
  const sorted = [...points].sort((a, b) => a.cost - b.cost || b.quality - a.quality)
  let best = Number.NEGATIVE_INFINITY
  return sorted.filter(({ quality }) => {
    if (!(quality > best)) return false
    best = quality
    return true
  })
}
