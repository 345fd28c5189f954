import { parseJson } from '../json.ts'
import { type Folder, readWhole } from '../platform/files.ts'

const config = 'tokenizer_config.json'

/** The file of a folder that holds a chat template; `undefined` where none does. */
export async function chatTemplateOf(folder: Folder): Promise<string | undefined> {
  for (const file of ['chat_template.jinja', 'chat_template.json']) {
    const source = await folder.open(file)
    await source?.close()
    if (source) return file
  }
  const bytes = await readWhole(folder, config)
  // What is wrong with the file, the tokenizer says.
  const read = bytes && parseOrNothing(new TextDecoder().decode(bytes))
  return Object(read).chat_template ? config : undefined
}

function parseOrNothing(text: string): unknown {
  try {
    return parseJson(text)
  } catch {
    return undefined
  }
}
