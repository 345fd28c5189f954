import { GpuError } from './errors.ts'

const mark = /^\s*\/\/#\s*(.*?)\s*$/
const counter = /^([a-z])\s*<\s*(\w+)(?:\s*\/\s*(\d+))?$/

/**
 * Writes out the loops of a shader whose counters must be literals: drivers keep `sum_0`, `sum_1` in registers, where an
 * array that a loop indexes goes to memory. `//# r < ROWS, c < 2` repeats the next line for each r and c, `//# r < ROWS {`
 * the lines up to `//# }`; `$r` there is the number. A bound is a number, one of `sizes`, or its quotient: `ROWS / 4`.
 */
export function unroll(code: string, sizes: Readonly<Record<string, number>> = {}): string {
  if (!code.includes('//#')) return code
  const lines = code.split('\n')
  let at = 0
  return block(false).join('\n')

  /** The lines up to the end of the block, or of the code. */
  function block(inner: boolean): string[] {
    const out: string[] = []
    while (at < lines.length) {
      const line = lines[at++] as string
      const head = mark.exec(line)?.[1]
      if (head === '}' && inner) return out
      if (head === undefined) out.push(line)
      else out.push(...repeated(head))
    }
    if (inner) throw invalid('//# }', 'no such line ends the last block')
    return out
  }

  /** What follows a head, for each value of its counters. */
  function repeated(head: string): string[] {
    const braced = head.endsWith('{')
    const counters = head
      .replace(/\s*\{$/, '')
      .split(',')
      .map((text) => readCounter(text.trim(), sizes))
    const body = braced ? block(true) : next()
    return counters.reduceRight(
      (text, { name, count }) =>
        Array.from({ length: count }, (_, i) => text.map((l) => replaced(l, name, i))).flat(),
      body,
    )
  }

  /** The next line, or what it repeats. */
  function next(): string[] {
    const line = lines[at++]
    if (line === undefined) throw invalid('//#', 'no line follows')
    const head = mark.exec(line)?.[1]
    return head === undefined ? [line] : repeated(head)
  }
}

const replaced = (line: string, name: string, value: number): string =>
  line.replaceAll(`$${name}`, String(value))

/** `r < ROWS / 4` as a name and a count. */
function readCounter(
  text: string,
  sizes: Readonly<Record<string, number>>,
): { name: string; count: number } {
  const [, name, bound, divisor = '1'] = counter.exec(text) ?? []
  const size = bound === undefined ? undefined : /^\d/.test(bound) ? Number(bound) : sizes[bound]
  const count = (size ?? Number.NaN) / Number(divisor)
  if (name === undefined || !Number.isInteger(count)) {
    throw invalid(
      text,
      'expected a letter and a bound, such as r < ROWS / 4, that is a whole number',
    )
  }
  return { name, count }
}

const invalid = (found: string, why: string) =>
  new GpuError('internal', `internal: unrolled shader: ${JSON.stringify(found)}: ${why}`)
