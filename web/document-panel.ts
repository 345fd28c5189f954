/** Documents: dropped, chosen or pasted, and how they are split into passages. */
import { accepted, readDocument } from './documents/read.ts'
import { type Passage, splitDocuments, type Unit } from './documents/split.ts'
import type { TextDocument } from './documents/types.ts'
import { block, button, element, get, input, many, number, say, select } from './dom.ts'
import { sample } from './sample.ts'

/**
 * @param onChange called with the passages whenever they are others
 * @returns reads the passages as they are
 */
export function documentPanel(onChange: (passages: readonly Passage[]) => void): void {
  let documents: TextDocument[] = [sample]
  const files = input('files')
  const unit = select('unit')
  const size = input('size')
  const pasted = get('pasted', HTMLTextAreaElement)
  files.accept = accepted.join()

  function refresh(): void {
    const options = { unit: unit.value as Unit, size: Number(size.value) }
    const counts = documents.map((one) => splitDocuments([one], options).length)
    const passages = splitDocuments(documents, options)
    block('documents').replaceChildren(...documents.map((one, i) => item(one, counts[i] ?? 0)))
    block('size-field').hidden = options.unit !== 'paragraphs'
    say(block('size-value'), number(options.size))
    say(
      block('passage-count'),
      passages.length === 0
        ? 'No passages yet. Choose a file, or write some text.'
        : `${many(documents.length, 'document')}, ${many(passages.length, 'passage')}`,
    )
    onChange(passages)
  }

  function item(one: TextDocument, count: number): HTMLLIElement {
    const remove = element('button', 'link', 'Remove')
    remove.type = 'button'
    remove.ariaLabel = `Remove ${one.name}`
    remove.onclick = () => {
      const at = documents.indexOf(one)
      documents = documents.toSpliced(at, 1)
      refresh()
      // The button is gone; the focus goes to its neighbour.
      const rest = block('documents').querySelectorAll<HTMLElement>('button')
      const neighbour = rest[Math.min(at, rest.length - 1)] ?? files
      neighbour.focus()
    }
    const name = element('span', 'name', one.name)
    name.title = one.name
    const made = element('li', '', name, element('span', 'count', many(count, 'passage')), remove)
    if (one.notes.length > 0) made.append(element('span', 'left-out', one.notes.join('; ')))
    return made
  }

  /** The sample leaves when there is something of one's own. */
  function add(some: readonly TextDocument[]): void {
    if (some.length === 0) return
    documents = [...documents.filter((one) => one !== sample), ...some]
    refresh()
  }

  async function read(found: readonly File[]): Promise<void> {
    say(block('document-errors'), '')
    const done = found.length > 0 ? `Reading ${many(found.length, 'file')} …` : ''
    say(block('passage-count'), done)
    const results = await Promise.allSettled(found.map(readDocument))
    const read = results.flatMap((one) => (one.status === 'fulfilled' ? [one.value] : []))
    const faults = results.flatMap((one) =>
      one.status === 'rejected' ? [String(one.reason.message)] : [],
    )
    say(block('document-errors'), faults.join('\n'))
    add(read)
    if (read.length === 0) refresh()
  }

  files.onchange = async () => {
    const found = [...(files.files ?? [])]
    await read(found)
    // The same file can be chosen again.
    files.value = ''
  }
  unit.onchange = refresh
  size.oninput = () => say(block('size-value'), number(Number(size.value)))
  size.onchange = refresh
  let texts = 0
  button('add').onclick = () => {
    const text = pasted.value.trim()
    if (text === '') return pasted.focus()
    texts++
    add([
      { name: texts > 1 ? `Pasted text ${texts}` : 'Pasted text', sections: [{ text }], notes: [] },
    ])
    pasted.value = ''
  }

  const over = (event: DragEvent, isOver: boolean) => {
    if (!event.dataTransfer?.types.includes('Files')) return
    event.preventDefault()
    document.body.classList.toggle('dropping', isOver)
  }
  document.addEventListener('dragover', (event) => over(event, true))
  document.addEventListener('dragleave', (event) => {
    if (!event.relatedTarget) over(event, false)
  })
  document.addEventListener('drop', async (event) => {
    over(event, false)
    // What was dropped can be asked for only until the first wait.
    const entries = [...(event.dataTransfer?.items ?? [])].flatMap((one) => {
      const entry = one.webkitGetAsEntry()
      return entry ? [entry] : []
    })
    const plain = [...(event.dataTransfer?.files ?? [])]
    if (entries.length === 0 && plain.length === 0) return
    const found = entries.length > 0 ? (await Promise.all(entries.map(filesOf))).flat() : plain
    await read(found)
  })
  refresh()
}

/** The files of a dropped entry, those of folders included. */
async function filesOf(entry: FileSystemEntry): Promise<File[]> {
  if (entry.isFile) {
    return [await new Promise<File>((done, no) => (entry as FileSystemFileEntry).file(done, no))]
  }
  const reader = (entry as FileSystemDirectoryEntry).createReader()
  const found: File[] = []
  // A reader gives some at a time, and none at its end.
  for (;;) {
    const some = await new Promise<FileSystemEntry[]>((done, no) => reader.readEntries(done, no))
    if (some.length === 0) return found
    found.push(...(await Promise.all(some.map(filesOf))).flat())
  }
}
