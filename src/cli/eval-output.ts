import { drawReport } from './eval-page.ts'
import { type EvalReport, reportJson } from './eval-report.ts'
import { reportMarkdown, reportText } from './eval-text.ts'
import { type Io, write } from './io.ts'
import { writeOutput } from './output.ts'

/** Where a report goes. */
export interface ReportOutput {
  json: boolean
  /** Files that end in .json, .md or .html. */
  report: readonly string[]
}

/** Prints a report and writes its files. */
export async function printReport(
  report: EvalReport,
  { json, report: files }: ReportOutput,
  { stdout }: Io,
): Promise<void> {
  await writeReports(report, files)
  await write(stdout, json ? reportJson(report) : reportText(report))
}

/** Writes a report to files, each in the format that its name ends with. */
export async function writeReports(report: EvalReport, files: readonly string[]): Promise<void> {
  for (const file of files) {
    await writeOutput(
      file,
      await (file.endsWith('.md')
        ? reportMarkdown(report)
        : file.endsWith('.html')
          ? drawReport(report)
          : reportJson(report)),
    )
  }
}
