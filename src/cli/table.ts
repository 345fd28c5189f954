import Table from 'cli-table3'

const chars = {
  top: '',
  'top-mid': '',
  'top-left': '',
  'top-right': '',
  bottom: '',
  'bottom-mid': '',
  'bottom-left': '',
  'bottom-right': '',
  left: '',
  'left-mid': '',
  mid: '',
  'mid-mid': '',
  right: '',
  'right-mid': '',
  middle: '  ',
}

/** Bytes as tables and texts give them. */
export const inMegabytes = (bytes: number): string => (bytes / 1e6).toFixed(1)

/** One line of a table's text: control characters, which could steer a terminal, become spaces. */
const oneLine = (text: string) => text.replace(/[\p{Cc}\s]+/gu, ' ').trim()

/**
 * Rows under their heads, as plain text. Columns of numbers (and of "-" or
 * nothing, where there is none) stand to the right. Where
 * `width` (columns of the terminal) is given, the last column is cut to fit.
 */
export function table(head: readonly string[], rows: readonly string[][], width?: number): string {
  const cells = rows.map((row) => row.map(oneLine))
  const colAligns = head.map((_, i) =>
    cells.length > 0 && cells.every((row) => /^(-?[\d.]+|-?)$/.test(row[i]!)) ? 'right' : 'left',
  )
  const last = head.length - 1
  const colWidths: (number | null)[] = head.map(() => null)
  if (width !== undefined) {
    const others = head.slice(0, last).map((title, i) => {
      const widest = Math.max(title.length, ...cells.map((row) => row[i]!.length))
      return widest + chars.middle.length
    })
    const room = Math.max(20, width - others.reduce((sum, one) => sum + one, 0) - 1)
    colWidths[last] = room
    // A character is at least half a column: no need to hand over more than can be shown.
    for (const row of cells) row[last] = row[last]!.slice(0, 2 * room)
  }
  const made = new Table({
    head: [...head],
    chars,
    colAligns,
    colWidths,
    style: { head: [], border: [], 'padding-left': 0, 'padding-right': 0 },
  })
  made.push(...cells)
  const lines = made.toString().split('\n')
  return `${lines.map((line) => line.trimEnd()).join('\n')}\n`
}
