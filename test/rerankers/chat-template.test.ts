import { expect, it } from 'vitest'
import { chatTemplateOf } from '../../src/rerankers/chat-template.ts'
import { memoryFolder, watched } from '../checkpoint/folders.ts'

const config = 'tokenizer_config.json'

it.each([
  [{}, undefined],
  [{ 'chat_template.jinja': '{{ x }}' }, 'chat_template.jinja'],
  [{ 'chat_template.json': {} }, 'chat_template.json'],
  [{ 'chat_template.json': {}, [config]: { chat_template: '…' } }, 'chat_template.json'],
  [{ [config]: { chat_template: '{{ x }}' } }, config],
  [{ [config]: { chat_template: [{ name: 'default', template: '…' }] } }, config],
  [{ [config]: { bos_token: '<s>' } }, undefined],
  [{ [config]: { chat_template: null } }, undefined],
  [{ [config]: { chat_template: '' } }, undefined],
  [{ [config]: null }, undefined],
  // The tokenizer reports what is wrong with it.
  [{ [config]: '{"chat_template": "' }, undefined],
] as const)('the chat template of %j is in %s; files are closed', async (files, expected) => {
  const folder = watched(memoryFolder(files))
  expect(await chatTemplateOf(folder)).toBe(expected)
  expect(folder.nowOpen).toBe(0)
})
