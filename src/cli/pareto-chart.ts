import type { EChartsOption } from 'echarts'
import { chartSize, ink, pageOf, svgOf } from './chart-file.ts'
import {
  type Axis,
  frontOf,
  kindNames,
  methodLine,
  type ParetoSubject,
  type Point,
  type PointKind,
  paretoTable,
  subjectLine,
} from './pareto-report.ts'

const { width, height } = chartSize

/** A mark and a colour for each kind of point. */
const marks: Readonly<Record<PointKind, readonly [symbol: string, colour: string]>> = {
  model: ['circle', '#1f5fa8'],
  embedder: ['pin', '#5b3f8c'],
  layer: ['emptyCircle', '#1f5fa8'],
  cascade: ['rect', '#2e7d4f'],
  exit: ['triangle', '#b3261e'],
  models: ['diamond', '#d9822b'],
}

const axes: readonly { axis: Axis; title: string; name: string; unit: number }[] = [
  { axis: 'milliseconds', title: 'By measured time', name: 'ms a pair', unit: 1 },
  { axis: 'flops', title: 'By operations', name: 'GFLOPs a pair', unit: 1e9 },
]

/** The column right of each panel, which has the names of the front's points. */
const keyWidth = 320

/** Draws points by what they cost: those that are dominated in grey, the front with a line, numbers and their names. */
export function drawPareto(
  file: string,
  subject: ParetoSubject,
  points: readonly Point[],
): Promise<string> {
  const option = paretoOption(subject, points)
  return /\.svg$/i.test(file)
    ? svgOf(option, subjectLine(subject))
    : pageOf(
        { ...option, tooltip: { trigger: 'item', formatter: '{b}' } },
        subjectLine(subject),
        paretoTable(subject, points),
      )
}

function paretoOption(subject: ParetoSubject, points: readonly Point[]): EChartsOption {
  const text = { fontFamily: 'sans-serif', color: ink }
  const kinds = (Object.keys(marks) as PointKind[]).filter((kind) =>
    points.some((point) => point.kind === kind),
  )
  const top = 118
  const tall = (height - top) / axes.length
  return {
    animation: false,
    backgroundColor: '#ffffff',
    textStyle: text,
    title: [
      {
        text: subjectLine(subject),
        subtext: methodLine(subject),
        left: 20,
        top: 14,
        textStyle: { ...text, fontSize: 18, width: width - 40, overflow: 'truncate' },
        subtextStyle: { fontSize: 12, color: '#555555', width: width - 40, overflow: 'break' },
      },
      ...axes.map(({ title }, i) => ({
        text: title,
        left: 20,
        top: top + i * tall,
        textStyle: { ...text, fontSize: 15 },
      })),
      ...axes.map(({ axis }, i) => ({
        text: frontOf(points, axis)
          .map(({ name }, place) => `${place + 1}  ${name}`)
          .join('\n'),
        left: width - keyWidth - 8,
        top: top + i * tall + 28,
        textStyle: { ...text, ...keyFont, width: keyWidth, overflow: 'break' as const },
      })),
    ],
    legend: {
      data: [...kinds.map((kind) => kindNames[kind]), 'Pareto front'],
      left: 20,
      top: 84,
      itemWidth: 22,
      itemHeight: 9,
      // Text is measured a little too narrow where there is no browser.
      itemGap: 20,
      textStyle: { ...text, fontSize: 11 },
    },
    grid: axes.map((_, i) => ({
      left: 104,
      top: top + i * tall + 34,
      width: width - 104 - keyWidth - 40,
      height: tall - 88,
    })),
    xAxis: axes.map(({ name }, gridIndex) => ({
      gridIndex,
      type: 'log' as const,
      name,
      nameLocation: 'middle' as const,
      nameGap: 28,
      nameTextStyle: text,
      axisLabel: text,
      splitLine: { lineStyle: { color: '#eeeeee' } },
    })),
    yAxis: axes.map((_, gridIndex) => ({
      gridIndex,
      type: 'value' as const,
      scale: true,
      name: 'nDCG@10, checked',
      nameLocation: 'middle' as const,
      nameGap: 50,
      nameTextStyle: text,
      axisLabel: text,
      splitLine: { lineStyle: { color: '#eeeeee' } },
    })),
    series: axes.flatMap(({ axis, unit }, at) => {
      const front = frontOf(points, axis)
      const placeOf = (point: Point) => [round(point[axis] / unit), round(point.checked)]
      return [
        {
          name: 'Pareto front',
          type: 'line' as const,
          ...panel(at),
          step: 'end' as const,
          symbol: 'none',
          color: ink,
          lineStyle: { width: 1.5 },
          silent: true,
          data: front.map(placeOf),
        },
        ...kinds.map((kind) => seriesOf(kind, points, front, at, placeOf)),
      ]
    }),
  }
}

const keyFont = { fontSize: 11, fontWeight: 'normal' as const, lineHeight: 16 }

const panel = (at: number) => ({ xAxisIndex: at, yAxisIndex: at })

/** Four digits are what the table has; a logarithmic axis takes no zero. */
const round = (value: number) => Number(Math.max(value, 1e-6).toPrecision(4))

function seriesOf(
  kind: PointKind,
  points: readonly Point[],
  front: readonly Point[],
  at: number,
  placeOf: (point: Point) => number[],
) {
  const [symbol, color] = marks[kind]
  return {
    name: kindNames[kind],
    type: 'scatter' as const,
    ...panel(at),
    symbol,
    color,
    symbolSize: 9,
    data: points
      .filter((point) => point.kind === kind)
      .map((point) => {
        const place = front.indexOf(point)
        const best = place >= 0
        return {
          name: `${point.name}: ${placeOf(point).join(', ')}`,
          value: placeOf(point),
          itemStyle: { color: best ? color : '#bdbdbd' },
          label: {
            show: best,
            formatter: String(place + 1),
            position: 'top' as const,
            color: ink,
            fontSize: 11,
          },
        }
      }),
  }
}
