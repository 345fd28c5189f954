import { categoryNames, categoryRuns } from './category-data.ts'
import { regexWordClass } from './code-point-data.ts'

/** Code points as ascending ranges: first, last, first, last, … */
export type CharSet = readonly number[]

/** A class by what differs from general categories, which are most of it. */
export interface ClassData {
  /** Categories, or first letters of some, with spaces between. */
  readonly of: string
  /**
   * Ranges that are of these categories or of the class, but not of both: for each the points between it and the one before,
   * then `-` and how many follow its first, in base 36.
   */
  readonly but: string
}

const lastPoint = 0x10ffff

export const everything: CharSet = [0, lastPoint]

/** Ranges in any order, which may overlap, as a set. */
export function setOf(ranges: readonly number[]): CharSet {
  const pairs: [number, number][] = []
  for (let i = 0; i < ranges.length; i += 2) pairs.push([ranges[i]!, ranges[i + 1]!])
  pairs.sort(([a], [b]) => a - b)
  const merged: number[] = []
  for (const [first, last] of pairs) {
    const end = merged.length - 1
    if (end > 0 && first <= merged[end]! + 1) merged[end] = Math.max(merged[end]!, last)
    else merged.push(first, last)
  }
  return merged
}

/** All code points that are not in a set. */
export function complement(set: CharSet): CharSet {
  const others: number[] = []
  let next = 0
  for (let i = 0; i < set.length; i += 2) {
    if (next < set[i]!) others.push(next, set[i]! - 1)
    next = set[i + 1]! + 1
  }
  if (next <= lastPoint) others.push(next, lastPoint)
  return others
}

export function intersection(a: CharSet, b: CharSet): CharSet {
  return complement(setOf([...complement(a), ...complement(b)]))
}

/** Sets by the name of a general category, or by its first letter. */
let categories: Map<string, CharSet> | undefined

function readCategories(): Map<string, CharSet> {
  const names = categoryNames.split(' ')
  const keys = names.flatMap((name) => [name, name.charAt(0)])
  const ranges = new Map<string, number[]>(keys.map((key) => [key, []]))
  let point = 0
  for (const [, letter, length] of categoryRuns.matchAll(/([A-^])(\d*)/g)) {
    const end = point + Number(length || 1)
    const name = names[letter!.charCodeAt(0) - 65]!
    ranges.get(name)!.push(point, end - 1)
    const all = ranges.get(name.charAt(0))!
    if (all.at(-1) === point - 1) all[all.length - 1] = end - 1
    else all.push(point, end - 1)
    point = end
  }
  return ranges
}

/** The set of a general category, such as Lu, or of all that begin with a letter, such as L; `undefined` of none. */
export function categorySet(name: string): CharSet | undefined {
  categories ??= readCategories()
  return categories.get(name)
}

/** The set that data stands for. */
export function classSet({ of, but }: ClassData): CharSet {
  const ranges = of.split(' ').flatMap((name) => categorySet(name) ?? [])
  let next = 0
  for (const range of but.trim().split(/\s+/)) {
    const [gap, more = 0] = range.split('-').map((digits) => Number.parseInt(digits, 36))
    const first = next + gap!
    ranges.push(first, first + more)
    next = first + more + 1
  }
  // In which of them a point is changes where a range begins, and after its end; twice is not at all.
  const edges = ranges.map((point, i) => point + (i % 2)).sort((a, b) => a - b)
  const set: number[] = []
  for (const edge of edges) {
    if (set.at(-1) === edge) set.pop()
    else set.push(edge)
  }
  return set.map((edge, i) => edge - (i % 2))
}

/** `\s` of the regular expressions. */
export const spaceSet = (): CharSet => setOf([9, 13, 0x85, 0x85, ...categorySet('Z')!])

/** `\d` of the regular expressions. */
export const digitSet = (): CharSet => categorySet('Nd')!

/** `\w` of the regular expressions. In a class it is without some numbers of Latin-1, as in Oniguruma. */
export function wordSet(inClass: boolean): CharSet {
  const set = classSet(regexWordClass)
  if (!inClass) return set
  return intersection(set, complement(intersection(categorySet('No')!, [0, 0xff])))
}
