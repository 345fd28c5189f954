import {
  cpSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { afterAll, describe, expect, it, test } from 'vitest'
import { DawnrankError } from '../../src/error.ts'
import {
  FlagLLMReranker,
  FlagReranker,
  LayerWiseFlagLLMReranker,
  loadReranker,
  type ModelPlace,
} from '../../src/rerankers/index.ts'
import { Tokenizer } from '../../src/tokenizers/index.ts'
import { fixtureFolder } from '../fixtures.ts'

const folder = fixtureFolder('xlm-roberta-514')
const temporary = mkdtempSync(join(tmpdir(), 'dawnrank-places-'))
afterAll(() => rmSync(temporary, { recursive: true }))

const loaders: Readonly<Record<string, (place: never) => Promise<unknown>>> = {
  loadReranker,
  'FlagReranker.load': (place) => FlagReranker.load(place),
  'FlagLLMReranker.load': (place) => FlagLLMReranker.load(place),
  'LayerWiseFlagLLMReranker.load': (place) => LayerWiseFlagLLMReranker.load(place),
  'Tokenizer.load': (place) => Tokenizer.load(place),
}

/** Code and message of what a place is refused with. */
async function refusal(load: (place: never) => Promise<unknown>, place: unknown): Promise<string> {
  const fault = await load(place as never).then(
    () => expect.unreachable('loaded'),
    (fault: unknown) => fault,
  )
  expect(fault).toBeInstanceOf(DawnrankError)
  const { code, message } = fault as DawnrankError
  return `${code}: ${message}`
}

describe.each(Object.entries(loaders))('%s refuses', (_, load) => {
  const wanted = "; expected a folder's path or URL, a Folder, or files: a list of File objects"
  test.each([
    [null, 'null'],
    [42, '42'],
    [Number.NaN, 'NaN'],
    [true, 'true'],
    [1n, '1'],
    [Symbol('x'), 'Symbol(x)'],
    [() => 1, 'a function'],
    ['', 'an empty text'],
    [{}, 'an object without files'],
    [{ dtype: 'f32' }, 'an object with "dtype": "f32"'],
    [{ 'config.json': null }, 'an object with "config.json": null'],
    [new Map(), 'a value of class Map'],
    [new Date(), 'a value of class Date'],
    [new Uint8Array(3), 'a value of class Uint8Array'],
    [Promise.resolve(folder), 'a Promise, which may want an await'],
    [[], 'an empty list'],
    [['config.json'], 'a list with "config.json" at 0'],
    [[new File([], 'config.json'), new Blob()], 'a list with a Blob without a name at 1'],
  ])('%s', async (place, found) => {
    expect(await refusal(load, place)).toContain(
      `place-invalid: a model's place: found ${found}${wanted}`,
    )
  })

  const taken = "expected http:, https: or a folder's path"
  test.each([
    ['ftp://host/m', `ftp://host/m: ftp: URLs are not taken; ${taken}`],
    ['s3://bucket/m', `s3://bucket/m: s3: URLs are not taken; ${taken}`],
    ['hf:org/name', `hf:org/name: hf: URLs are not taken; ${taken}`],
    [new URL('hf://org/name'), `hf://org/name: hf: URLs are not taken; ${taken}`],
    ['data:application/json,{}', 'data:…: a data: URL has one file'],
    ['blob:https://host/1-2-3', 'blob:https://host/1-2-3: a blob: URL has one file'],
    ['https://me:secret@host/m/', 'https://host/m/: a user name and password in a URL'],
    ['http://', 'http://: not to be taken as a URL'],
    ['file://host/m', 'file://host/m: not to be taken as a URL'],
    ['file:///a%2Fb', 'file:///a%2Fb: not to be taken as a URL'],
    [
      'https://huggingface.co/org/name/tree/v2',
      'its files are under https://huggingface.co/org/name/resolve/v2/',
    ],
  ])('%s', async (place, message) => {
    const found = await refusal(load, place)
    expect(found).toContain('place-invalid: ')
    expect(found).toContain(message)
    expect(found).not.toContain('secret')
  })
})

const names = readdirSync(folder)
const fileOf = (name: string) => new Blob([readFileSync(join(folder, name))])

/** A file as a picker gives it: with the path from the folder that was picked, where one was. */
function picked(name: string, path = ''): File {
  const file = new File([fileOf(name)], name)
  return Object.defineProperty(file, 'webkitRelativePath', { value: path })
}

describe('files', () => {
  const at = (prefix: string) =>
    Object.fromEntries(names.map((name) => [prefix + name, fileOf(name)]))
  const list = (path?: string) => names.map((name) => picked(name, path && path + name))
  const pictures = { 'model/pictures/config.json': new Blob(), 'model/a.png': new Blob() }
  const cases: [name: string, place: ModelPlace, called: string][] = [
    ['by name', at(''), 'blobs'],
    ['by name, from here', at('./'), 'blobs'],
    ['by name in a folder', at('model/'), 'model'],
    ['by name in a folder of Windows', at('a\\model\\'), 'a/model'],
    ['of a folder with others below', { ...at('model/'), ...pictures }, 'model'],
    ['of one folder among others', { ...at('a/model/'), 'b/readme.md': new Blob() }, 'a/model'],
    ['of a hub cache', { ...at('m/snapshots/1/'), 'm/refs/main': new Blob() }, 'm/snapshots/1'],
    ['in a list', list(), 'blobs'],
    ['in a list, of a folder', list('model/'), 'model'],
    ['in a FileList', Object.assign({ length: names.length }, list()), 'blobs'],
  ]
  it.each(cases)('%s', async (_, place, called) => {
    const reranker = await loadReranker(place, { dtype: 'f32' })
    // FlagEmbedding 1.4.2, float32 (recorded in the model's fixtures).
    expect(
      Math.abs((await reranker.computeScore(['what is panda?', 'hi'])) - 7.86001),
    ).toBeLessThan(2e-4)
    expect(reranker.info.model).toBe(called)
    reranker.dispose()
    expect((await Tokenizer.load(place)).padId).toBe(1)
  })

  it.each<[ModelPlace, string]>([
    [{ ...at('a/'), ...at('b/') }, 'more than one folder, such as a/config.json, b/config.json;'],
    [[...list(), ...list()], 'more than one folder, such as config.json'],
    [[...list('a/'), picked('tokenizer.json', 'a/tokenizer.json')], 'such as a/tokenizer.json;'],
  ])('of two models are told apart or refused', async (place, message) => {
    expect(await refusal(loadReranker, place)).toContain(message)
  })

  it('are named where one is missing', async () => {
    const place = [picked('config.json', 'm/config.json'), new File([], 'model.onnx')]
    expect(await refusal(loadReranker, place)).toContain(
      'weights-missing: m: no model.safetensors and no model.safetensors.index.json',
    )
    expect(await refusal(loadReranker, [new File([], 'a.gguf')])).toContain(
      "config-missing: blobs: no config.json; expected a model folder as transformers' save_pretrained writes it (config.json, model.safetensors, tokenizer.json). The files given are a.gguf",
    )
  })
})

describe('a path', () => {
  /** A folder with these files, empty ones; one that ends in a slash is a folder. */
  function make(name: string, ...files: readonly string[]): string {
    const root = join(temporary, name)
    mkdirSync(root, { recursive: true })
    for (const file of files) {
      mkdirSync(join(root, file.replace(/[^/]*$/, '')), { recursive: true })
      if (!file.endsWith('/')) writeFileSync(join(root, file), '{}')
    }
    return root
  }
  const hub = (name: string, ...files: readonly string[]) =>
    make(name, 'blobs/0a', 'refs/main', 'snapshots/', ...files)

  const one = hub('models--org--one', 'snapshots/5f0c/config.json', 'snapshots/5f0c/tokenizer.json')
  const two = hub('models--org--two', 'snapshots/5f0c/config.json', 'snapshots/8a1e/config.json')
  const none = hub('models--org--none')
  const part = hub('models--org--part', 'snapshots/5f0c/model.safetensors')
  const above = make('above', 'readme.md', 'model/config.json')
  const onnx = make('onnx', 'model.onnx', 'model.gguf', 'onnx/')
  const weights = make('weights', 'config.json', 'model.onnx')
  const architectures = ['XLMRobertaForSequenceClassification']
  writeFileSync(join(weights, 'config.json'), JSON.stringify({ architectures }))
  const link = make('link', 'model.safetensors')
  symlinkSync('../gone/config.json', join(link, 'config.json'))
  const cases: [name: string, place: string | URL, message: string][] = [
    ['of a hub cache', one, `config.json is in ${one}/snapshots/5f0c; give that folder`],
    ['of a hub cache with a slash', `${one}/`, `config.json is in ${one}/snapshots/5f0c;`],
    ['of a hub cache as a URL', pathToFileURL(one), `config.json is in ${one}/snapshots/5f0c;`],
    ['of two revisions', two, `${two}/snapshots/5f0c, ${two}/snapshots/8a1e; give one of them`],
    ['of a hub cache without a model', none, 'The folder has blobs/, refs/, snapshots/'],
    [
      'of a hub cache with a part of a model',
      part,
      `none of its revisions has config.json: ${part}/snapshots/5f0c; is the download complete?`,
    ],
    ['of a folder above', above, `config.json is in ${above}/model; give that folder`],
    ['of other formats', onnx, 'The folder has model.gguf, model.onnx, onnx/'],
    ['of a folder of broken links', link, 'config.json is a link to what is not there'],
    ['of an empty folder', make('empty'), 'The folder is empty'],
    [
      'of a file',
      `${folder}/config.json`,
      `is a file; expected a folder. Give its folder, ${folder}`,
    ],
    [
      'of a file as a URL',
      pathToFileURL(`${folder}/model.safetensors`),
      `is a file; expected a folder. Give its folder, ${folder}`,
    ],
    ['that leads nowhere', join(temporary, 'no'), 'no: does not exist; expected a folder'],
  ]
  it.each(cases)('%s: says what to give', async (_, place, message) => {
    expect(await refusal(loadReranker, place)).toContain(message)
  })

  it('is explained for the other files, too', async () => {
    expect(await refusal(Tokenizer.load, one)).toContain(
      `tokenizer.json is in ${one}/snapshots/5f0c; give that folder`,
    )
    expect(await refusal(FlagReranker.load.bind(FlagReranker), weights)).toMatch(
      /^weights-missing: .* The folder has config\.json, model\.onnx$/,
    )
  })

  it('may hold any character', async () => {
    const odd = join(temporary, 'a b#c?d%20é:')
    cpSync(folder, odd, { recursive: true })
    for (const place of [odd, pathToFileURL(odd), String(pathToFileURL(odd))]) {
      expect((await Tokenizer.load(place)).padId).toBe(1)
    }
    expect((await Tokenizer.load(join(odd, 'tokenizer.json'))).padId).toBe(1)
  })
})
