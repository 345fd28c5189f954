import type { CustomSeriesRenderItem, EChartsOption } from 'echarts'

/** A point with the ends of its interval. */
export interface ChartPoint {
  readonly mean: number
  readonly interval: readonly [number, number]
}

/** Points of one colour, one in each category, from the top down. */
export interface ChartSeries {
  readonly name: string
  readonly points: readonly (ChartPoint | undefined)[]
}

/** A chart of means with their intervals, one below the other. */
export interface IntervalChart {
  /** Of the horizontal axis. */
  readonly axis: string
  readonly categories: readonly string[]
  readonly series: readonly ChartSeries[]
  /** Draws a line at 0, which the axis then shows. */
  readonly zero?: boolean
}

/** Colours that the colour-blind tell apart (Okabe and Ito). */
const colours = ['#0072b2', '#d55e00', '#009e73', '#cc79a7', '#e69f00', '#56b4e9', '#6b6b6b']
const width = 960
const ink = '#222222'
/** Heights of a point, a gap between categories, a line of the legend, and the axis. */
const sizes = { point: 14, gap: 12, legend: 22, axis: 56 }
/** Of a letter, at least. There is no browser yet that measures texts, and its font may be wide. */
const letter = 7.5

/** Draws a chart as SVG. ECharts is large: it is loaded when it is needed. */
export async function drawIntervals(chart: IntervalChart): Promise<string> {
  const { init } = await import('./echarts.ts')
  const place = placeOf(chart)
  const made = init(null, null, { renderer: 'svg', ssr: true, width, height: place.height })
  try {
    made.setOption(optionOf(chart, place))
    return made.renderToSVGString()
  } finally {
    made.dispose()
  }
}

/** Where the points are, and the height of all. */
function placeOf({ categories, series }: IntervalChart) {
  const left = Math.min(470, 32 + letter * Math.max(...categories.map((name) => name.length)))
  const names = series.reduce((sum, { name }) => sum + 48 + letter * name.length, 0)
  const top = 12 + sizes.legend * Math.ceil(names / (width - left))
  const rows = categories.length * (series.length * sizes.point + sizes.gap)
  return { left, top, rows, height: top + rows + sizes.axis }
}

function optionOf(
  { axis, categories, series, zero }: IntervalChart,
  { left, top, rows }: ReturnType<typeof placeOf>,
): EChartsOption {
  const text = { fontFamily: 'sans-serif', color: ink }
  return {
    animation: false,
    backgroundColor: '#ffffff',
    color: colours,
    textStyle: text,
    legend: {
      show: series.length > 1,
      left,
      top: 8,
      itemWidth: 12,
      itemHeight: 12,
      itemGap: 28,
      right: 24,
      icon: 'circle',
      textStyle: text,
      data: series.map(({ name }) => name),
    },
    grid: { left, right: 24, top, height: rows },
    xAxis: {
      type: 'value',
      scale: !zero,
      name: axis,
      nameLocation: 'middle',
      nameGap: 28,
      nameTextStyle: text,
      axisLabel: text,
      splitLine: { lineStyle: { color: '#e4e4e4' } },
    },
    yAxis: {
      type: 'category',
      data: [...categories],
      inverse: true,
      axisTick: { show: false },
      axisLabel: { ...text, width: left - 16, overflow: 'truncate' },
    },
    series: series.map(({ name, points }, at) => ({
      name,
      type: 'custom' as const,
      color: colours[at % colours.length]!,
      clip: true,
      encode: { x: [0, 2, 3], y: 1 },
      data: points.flatMap((point, i) => (point ? [[point.mean, i, ...point.interval]] : [])),
      renderItem: pointWithEnds(
        (at - (series.length - 1) / 2) * sizes.point,
        colours[at % colours.length]!,
      ),
      ...(zero &&
        at === 0 && {
          markLine: {
            silent: true,
            symbol: 'none',
            label: { show: false },
            lineStyle: { color: ink, type: 'solid' as const, width: 1 },
            data: [{ xAxis: 0 }],
          },
        }),
    })),
  }
}

/** Draws a point, and a line from one end of its interval to the other, a little above or below the middle. */
const pointWithEnds =
  (offset: number, colour: string): CustomSeriesRenderItem =>
  (_, api) => {
    const row = api.value(1)
    const [x, middle] = api.coord([api.value(0), row]) as [number, number]
    const [x1] = api.coord([api.value(2), row]) as [number, number]
    const [x2] = api.coord([api.value(3), row]) as [number, number]
    const y = middle + offset
    const style = { stroke: colour, lineWidth: 2 }
    const end = (at: number) => ({
      type: 'line' as const,
      shape: { x1: at, y1: y - 3, x2: at, y2: y + 3 },
      style,
    })
    return {
      type: 'group',
      children: [
        { type: 'line', shape: { x1, y1: y, x2, y2: y }, style },
        end(x1),
        end(x2),
        { type: 'circle', shape: { cx: x, cy: y, r: 4 }, style: { fill: colour } },
      ],
    }
  }
