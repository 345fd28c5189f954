/** PDF as text, by pdf.js, which is loaded when the first one is dropped. */
import { GlobalWorkerOptions, getDocument } from 'pdfjs-dist/legacy/build/pdf.mjs'
import { type Piece, pageText } from './pdf-text.ts'
import type { Section } from './types.ts'

const here = (file: string) => new URL(file, document.baseURI).href
GlobalWorkerOptions.workerSrc = here('pdf.worker.js')

/** The pages of a file that have text. */
export async function readPdf(data: Uint8Array): Promise<Section[]> {
  const task = getDocument({
    data,
    cMapUrl: here('cmaps/'),
    cMapPacked: true,
    isEvalSupported: false,
    useSystemFonts: true,
  })
  try {
    const file = await task.promise
    const sections: Section[] = []
    for (let number = 1; number <= file.numPages; number++) {
      const page = await file.getPage(number)
      const { items } = await page.getTextContent()
      const text = pageText(items.filter((item) => 'str' in item) as Piece[])
      if (text) sections.push({ text, place: `page ${number}` })
      page.cleanup()
    }
    return sections
  } finally {
    await task.destroy()
  }
}
