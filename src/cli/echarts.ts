/** What charts need of ECharts; the command's bundle contains it. */
import { BarChart, CustomChart, LineChart, ScatterChart } from 'echarts/charts'
import {
  GridComponent,
  LegendComponent,
  MarkLineComponent,
  TitleComponent,
} from 'echarts/components'
import { init, use } from 'echarts/core'
import { SVGRenderer } from 'echarts/renderers'

use([
  LineChart,
  BarChart,
  ScatterChart,
  CustomChart,
  GridComponent,
  LegendComponent,
  MarkLineComponent,
  TitleComponent,
  SVGRenderer,
])

export { init }

/** The library as a script for a page: the build puts it beside the bundle. */
export const script = (): URL =>
  /\/dist\/[^/]*$/.test(import.meta.url)
    ? new URL('./echarts.common.min.js', import.meta.url)
    : new URL(import.meta.resolve('echarts/dist/echarts.common.min.js'))
