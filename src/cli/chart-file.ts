import { readFile } from 'node:fs/promises'
import type { EChartsOption } from 'echarts'

/** Pixels of every picture. */
export const chartSize = { width: 1000, height: 760 }
export const grey = '#8a8a8a'
export const ink = '#222222'

/** A picture as SVG, with a title for who does not see it. ECharts is large, and few commands need it. */
export async function svgOf(option: EChartsOption, title: string): Promise<string> {
  const { init } = await import('./echarts.ts')
  const chart = init(null, null, { renderer: 'svg', ssr: true, ...chartSize })
  try {
    chart.setOption(option)
    // The styles are for a pointer that nothing answers to.
    const svg = chart.renderToSVGString().replace(/<style\b.*?<\/style>\n?/s, '')
    return `${svg.replace('>', `>\n<title>${escaped(title)}</title>`)}\n`
  } finally {
    chart.dispose()
  }
}

/**
 * A picture as a page that stands alone: the drawing library is in it.
 *
 * @param text what stands below the picture
 */
export async function pageOf(option: EChartsOption, title: string, text: string): Promise<string> {
  const { script } = await import('./echarts.ts')
  const library = await readFile(script(), 'utf8')
  const { width, height } = chartSize
  const data = JSON.stringify(option).replaceAll('<', '\\u003c')
  return `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<title>${escaped(title)}</title>
<style>body { margin: 2em auto; width: ${width}px; color: ${ink} } pre { font-size: 12px; overflow-x: auto }</style>
<div id="chart" style="width: ${width}px; height: ${height}px"></div>
<pre>${escaped(text)}</pre>
<script>${library}</script>
<script>echarts.init(document.getElementById('chart')).setOption(${data})</script>
</html>
`
}

const escaped = (text: string) => text.replaceAll('&', '&amp;').replaceAll('<', '&lt;')
