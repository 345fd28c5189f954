import { type Folder, readJsonIfValid } from '../platform/files.ts'

const config = 'tokenizer_config.json'

/** The file of a folder that holds a chat template; `undefined` where none does. */
export async function chatTemplateOf(folder: Folder): Promise<string | undefined> {
  for (const file of ['chat_template.jinja', 'chat_template.json']) {
    const source = await folder.open(file)
    await source?.close()
    if (source) return file
  }
  return Object(await readJsonIfValid(folder, config)).chat_template ? config : undefined
}
