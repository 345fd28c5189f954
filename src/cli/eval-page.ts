import type { EvalReport } from './eval-report.ts'
import { methodText, reportTables, subjectOf } from './eval-text.ts'

/** A report as a page that stands alone. */
export async function drawReport(report: EvalReport): Promise<string> {
  return `${subjectOf(report)}${methodText(report)}${reportTables(report).length}`
}
