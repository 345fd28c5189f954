/**
 * The tokenizers of DeBERTa-v3, JinaBERT, Qwen3 and ModernBERT: what their files and what classes change, as transformers
 * 4.46.3 does it; the folders and their ids are recorded by test/fixtures/tokenizers/make_families.py.
 */
import { expect, it } from 'vitest'
import { type Edit, editedFolder } from '../edited-folder.ts'
import { type FolderCase, fixtureJson, Tokenizer, typesOf } from './helpers.ts'

interface Case extends FolderCase {
  readonly built: readonly number[]
  readonly named: Readonly<Record<string, number | null>>
}

const { texts, cases } = fixtureJson('tokenizers/families.json') as {
  texts: string[]
  cases: Case[]
}

/** vocab.json and merges.txt in place of tokenizer.json. */
function splitEdits(base: string): Edit[] {
  const { vocab, merges } = fixtureJson(`${base}/model/tokenizer.json`).model
  const lines = merges.map((merge: string | string[]) => `${[merge].flat().join(' ')}\n`)
  return [
    ['tokenizer.json'],
    ['vocab.json', 'text', JSON.stringify(vocab)],
    ['merges.txt', 'text', `#version: 0.2\n${lines.join('')}`],
  ]
}

const folderOf = ({ base, edits }: Pick<Case, 'base' | 'edits'>) => {
  const [name, isSplit] = base.split(', ') as [string, string?]
  return editedFolder(name, isSplit ? [...edits, ...splitEdits(name)] : edits)
}

it.each(cases)('$base: $name', async (want) => {
  const tokenizer = await Tokenizer.load(folderOf(want))
  expect(texts.map((text) => [...tokenizer.encode(text)])).toEqual(want.ids)
  expect([...tokenizer.encode(texts[0]!, { specialTokens: true })]).toEqual(want.single)
  const [first, second] = [tokenizer.encode(texts[1]!), tokenizer.encode(texts[2]!)]
  expect([...tokenizer.joinPair(first, second)]).toEqual(want.pair)
  const built = tokenizer.buildPair(Uint32Array.of(5), Uint32Array.of(6, 7))
  expect([...built]).toEqual(want.built)
  const types = tokenizer.pairTypes(first.length, second.length, 'template')
  expect(types && [...types]).toEqual(typesOf(want.types))
  const { named } = want
  expect([tokenizer.bosId, tokenizer.eosId, tokenizer.padId]).toEqual(
    [named.bos_token, named.eos_token, named.pad_token].map((id) => id ?? undefined),
  )
  expect([tokenizer.clsId, tokenizer.sepId, tokenizer.maskId]).toEqual(
    [named.cls_token, named.sep_token, named.mask_token].map((id) => id ?? undefined),
  )
})
