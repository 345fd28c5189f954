import type { EChartsOption } from 'echarts'
import type { LayerFindings, LayerSweep } from '../eval/index.ts'
import { chartSize, grey, ink, pageOf, svgOf } from './chart-file.ts'
import { layersTable, type SweepSubject, subjectText, timingText } from './layers-report.ts'

const { width, height } = chartSize

/** The two colours of a panel, apart in hue and in brightness. */
const colours = ['#1f5fa8', '#d9822b']
/** More would run into each other. */
const mostLabels = 11

/** One curve, or one row of bars, with a value for each layer. */
interface Curve {
  readonly name: string
  readonly values: readonly (number | undefined)[]
  readonly colour: string
  readonly style?: 'solid' | 'dashed' | 'bars'
  /** What stands over each bar, or nothing. */
  readonly labels?: readonly string[]
}

/** One part of the picture. */
interface Panel {
  readonly title: string
  /** Title of the vertical axis; the other one's is `layer`. */
  readonly axis: string
  readonly curves: readonly Curve[]
  /** Ends and steps of the vertical axis; left out, they follow the values. */
  readonly scale?: {
    readonly min?: number
    readonly max?: number
    readonly interval?: number
    readonly boundaryGap?: [number, number]
  }
}

/** Draws a sweep, as SVG or as a page on which values show under the pointer. */
export async function drawChart(
  file: string,
  subject: SweepSubject,
  sweep: LayerSweep,
): Promise<string> {
  const option = chartOption(subject, sweep)
  if (/\.svg$/i.test(file)) return svgOf(option, subjectText(subject))
  const shown = { ...option, tooltip: { trigger: 'axis' as const } }
  return pageOf(shown, subjectText(subject), layersTable(subject, sweep))
}

/** What a sweep shows: scores and agreement always, quality and time where they are known. */
function panelsOf({ layers, firstStage, timing }: LayerSweep): Panel[] {
  const [first, second] = colours as [string, string]
  const each = (pick: (found: LayerFindings) => number | undefined) => layers.map(pick)
  const panels: Panel[] = [
    {
      title: 'Score',
      axis: 'logit',
      curves: [
        { name: 'mean', values: each(({ mean }) => mean), colour: first },
        {
          name: '90th percentile',
          values: each(({ high }) => high),
          colour: grey,
          style: 'dashed',
        },
        { name: '10th percentile', values: each(({ low }) => low), colour: grey, style: 'dashed' },
      ],
    },
    {
      title: 'Agreement with the last layer',
      axis: 'rank correlation',
      scale: upToOne(layers.flatMap(({ spearman = 1, kendall = 1 }) => [spearman, kendall])),
      curves: [
        { name: 'Spearman', values: each(({ spearman }) => spearman), colour: first },
        { name: 'Kendall', values: each(({ kendall }) => kendall), colour: second },
      ],
    },
  ]
  if (firstStage) {
    panels.push({
      title: 'Quality',
      axis: 'mean over queries',
      curves: Object.keys(firstStage).flatMap((name, i): Curve[] => {
        const colour = colours[i % colours.length]!
        return [
          { name, values: each(({ measures }) => measures?.[name]), colour },
          {
            name: `first stage ${name.replace(/@.*/, '')}`,
            values: each(() => firstStage[name]),
            colour,
            style: 'dashed',
          },
        ]
      }),
    })
  }
  if (timing) {
    panels.push({
      title: 'Time up to the layer',
      axis: 'ms a pair',
      scale: { min: 0, boundaryGap: [0, 0.1] },
      curves: [
        {
          name: 'as the cutoff (% of the last)',
          values: timing.byLayer,
          colour: first,
          style: 'bars',
          labels: layers.map(({ cost }, i) => {
            const shown = (layers.length - 1 - i) % Math.ceil(layers.length / mostLabels) === 0
            return shown ? `${Math.round(100 * cost!)}%` : ''
          }),
        },
        {
          name: 'all layers, one pass',
          values: each(() => timing.all),
          colour: second,
          style: 'dashed',
        },
      ],
    })
  }
  return panels
}

/** An axis from below the smallest value up to 1, in at most six even steps. */
function upToOne(values: readonly number[]) {
  const least = Math.min(...values)
  const interval = [0.01, 0.02, 0.05, 0.1, 0.2].find((step) => (1 - least) / step <= 6) ?? 0.5
  const min = 1 - interval * Math.max(1, Math.ceil((1 - least) / interval))
  return { min: Number(min.toFixed(2)), max: 1, interval }
}

/** The picture of a sweep: panels two by two, one alone as wide as two. */
function chartOption(subject: SweepSubject, sweep: LayerSweep): EChartsOption {
  const panels = panelsOf(sweep)
  const rows = Math.ceil(panels.length / 2)
  const top = 100
  const places = panels.map((_, i) => {
    const wide = i === panels.length - 1 && i % 2 === 0
    const tall = (height - top) / rows
    return { left: (i % 2) * (width / 2), top: top + Math.floor(i / 2) * tall, wide, tall }
  })
  const text = { fontFamily: 'sans-serif', color: ink }
  const head = {
    text: subjectText(subject),
    subtext: timingText(subject, sweep) ?? '',
    left: 20,
    top: 14,
    itemGap: 10,
    textStyle: { ...text, fontSize: 18, width: width - 40, overflow: 'truncate' as const },
    subtextStyle: {
      fontSize: 12,
      lineHeight: 16,
      color: '#555555',
      width: width - 40,
      overflow: 'break' as const,
    },
  }
  return {
    animation: false,
    backgroundColor: '#ffffff',
    textStyle: text,
    title: [
      head,
      ...panels.map(({ title }, i) => ({
        text: title,
        left: places[i]!.left + 20,
        top: places[i]!.top,
        textStyle: { ...text, fontSize: 15 },
      })),
    ],
    legend: panels.map(({ curves }, i) => ({
      // A dashed line has no marks, in the legend neither.
      data: curves.map(({ name, style }) =>
        style === 'dashed' ? { name, itemStyle: { opacity: 0 } } : { name },
      ),
      left: places[i]!.left + 20,
      top: places[i]!.top + 24,
      width: (places[i]!.wide ? width : width / 2) - 40,
      itemWidth: 22,
      itemHeight: 9,
      // Text is measured a little too narrow where there is no browser.
      itemGap: 20,
      textStyle: { ...text, fontSize: 11 },
    })),
    grid: places.map(({ left, top, wide, tall }) => ({
      left: left + 74,
      top: top + 62,
      width: (wide ? width : width / 2) - 104,
      height: tall - 122,
    })),
    xAxis: panels.map((_, gridIndex) => ({
      gridIndex,
      type: 'category' as const,
      data: sweep.layers.map(({ layer }) => String(layer)),
      name: 'layer',
      nameLocation: 'middle' as const,
      nameGap: 28,
      nameTextStyle: text,
      axisLabel: text,
    })),
    yAxis: panels.map(({ axis, scale }, gridIndex) => ({
      gridIndex,
      type: 'value' as const,
      scale: true,
      ...scale,
      name: axis,
      nameLocation: 'middle' as const,
      nameGap: 50,
      nameTextStyle: text,
      axisLabel: text,
      splitLine: { lineStyle: { color: '#e4e4e4' } },
    })),
    series: panels.flatMap(({ curves }, at) => curves.map((curve) => seriesOf(curve, at))),
  }
}

function seriesOf({ name, values, colour, style = 'solid', labels }: Curve, panel: number) {
  // A tooltip shows what is in the data: four digits are what the table has.
  const data = values.map((value) => (value === undefined ? '-' : Number(value.toFixed(4))))
  const common = { name, xAxisIndex: panel, yAxisIndex: panel, color: colour }
  if (style === 'bars') {
    return {
      ...common,
      type: 'bar' as const,
      barMaxWidth: 40,
      data: data.map((value, i) => ({
        value,
        label: { show: true, position: 'top' as const, formatter: labels?.[i] ?? '', color: ink },
      })),
    }
  }
  return {
    ...common,
    type: 'line' as const,
    symbol: style === 'solid' ? 'circle' : 'none',
    symbolSize: 6,
    lineStyle: { type: style, width: style === 'solid' ? 2 : 1.5 },
    data,
  }
}
