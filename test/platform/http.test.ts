import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, describe, expect, it, test, vi } from 'vitest'
import * as browser from '../../src/platform/browser.ts'
import { type Folder, readWhole } from '../../src/platform/files.ts'
import * as server from '../../src/platform/server.ts'
import { FlagReranker, loadReranker } from '../../src/rerankers/index.ts'
import { Tokenizer } from '../../src/tokenizers/index.ts'
import { fixtureFolder } from '../fixtures.ts'
import { root } from '../portability/cases.ts'
import { type Answer, type FileServer, type Host, serveFiles } from '../portability/file-server.ts'
import { hosts } from '../portability/hosts.ts'

// Models over HTTP, from hosts of many kinds. The code is the same in Node and in browsers; here it runs in Node.

const model = 'test/fixtures/xlm-roberta-514/model'
/** The score that FlagEmbedding 1.4.2 gives the pair in float32 (recorded in the model's fixtures). */
const pair = ['what is panda?', 'hi'] as const
const score = 7.86001

let running: FileServer | undefined
afterEach(async () => {
  vi.unstubAllGlobals()
  await running?.close()
  running = undefined
})

/** Serves the model's folder; gives its URL. */
async function serve(host?: Host): Promise<string> {
  running = await serveFiles(root, [model, 'test/portability'], host)
  return `${running.url}/${model}/`
}

const onDisk = (file: string) =>
  new Uint8Array(readFileSync(join(fixtureFolder('xlm-roberta-514'), file)))

async function expectSameBytes(folder: Folder, file: string): Promise<void> {
  const wanted = onDisk(file)
  const source = await folder.open(file)
  expect(source?.size).toBe(wanted.length)
  const middle = Math.min(70_000, wanted.length >> 1)
  for (const [start, end] of [
    [0, 8],
    [middle, middle + 5000],
    [wanted.length - 3, wanted.length + 10],
    [wanted.length, wanted.length + 1],
    [0, wanted.length],
  ] as const) {
    const found = await source!.read(start, end)
    expect(Buffer.compare(found, wanted.subarray(start, end)), `${file} ${start}-${end}`).toBe(0)
    expect(found.buffer.byteLength).toBe(found.length)
  }
  await source!.close()
}

describe('a host that', () => {
  test.each(Object.keys(hosts))('%s', async (name) => {
    const url = `${await serve(hosts[name])}?sig=1`
    const folder = await server.openFolder(url)
    for (const file of ['config.json', 'tokenizer.json', 'model.safetensors']) {
      await expectSameBytes(folder, file)
    }
    for (const file of ['added_tokens.json', 'self-test.json', '../config.json', '..', '']) {
      expect(await folder.open(file)).toBeUndefined()
    }
  })
})

test.each([
  ['packs JSON as GitHub Pages does', ''],
  ['wants a signature', '?sig=1'],
  ['answers a page for what is missing', ''],
  ['has no ranges', ''],
  ['sends less than asked', ''],
])('scores of a model on a host that %s are those of the reference', async (name, query) => {
  const place = `${await serve(hosts[name])}${query}`
  // Without the slash at the end, too, and as a URL.
  for (const url of [place, new URL(place.replace('/model/', '/model'))]) {
    const reranker = await loadReranker(url, { dtype: 'f32' })
    expect(Math.abs((await reranker.computeScore([...pair])) - score)).toBeLessThan(2e-4)
    expect(reranker.info.model).toBe(`${running?.url}/${model}`)
    reranker.dispose()
    const tokenizer = await Tokenizer.load(url)
    expect(tokenizer.encode('hi')).toEqual(new Uint32Array([242, 63]))
  }
  const file = await Tokenizer.load(place.replace(/\/model\/(.*)$/, '/model/tokenizer.json$1'))
  expect(file.padId).toBe(1)
})

describe('requests', () => {
  it('are one for a small file, and none is repeated for a host without ranges', async () => {
    const url = await serve(hosts['has no ranges'])
    const folder = await server.openFolder(url)
    await readWhole(folder, 'config.json')
    await readWhole(folder, 'model.safetensors')
    expect(running?.log).toEqual([
      `GET /${model}/config.json bytes=0-65535`,
      `GET /${model}/model.safetensors bytes=0-65535`,
    ])
  })

  it('keep the query, and the encoding of the path', async () => {
    const { pathname, origin } = new URL(await serve())
    const encoded = `${pathname.replace('model/', '%6Dodel')}?a=%2F&b#c`
    await readWhole(await server.openFolder(origin + encoded), 'config.json')
    expect(running?.log).toEqual([
      `GET ${pathname.replace('model/', '%6Dodel/')}config.json?a=%2F&b bytes=0-65535`,
    ])
  })

  it('take an empty file', async () => {
    const empty: Host = (answer, { range }) =>
      range
        ? { ...answer, status: 416, body: Buffer.alloc(0) }
        : { ...answer, body: Buffer.alloc(0) }
    const folder = await server.openFolder(await serve(empty))
    expect(await readWhole(folder, 'config.json')).toEqual(new Uint8Array())
  })

  it('take a page where a page is asked for', async () => {
    await serve()
    const file = await browser.openFile(`${running?.url}/test/portability/page.html`)
    expect(file?.size).toBeGreaterThan(100)
  })
})

describe('an error tells', () => {
  const status =
    (status: number, files = /./): Host =>
    (answer, { url }) =>
      files.test(url.pathname) ? { status, headers: {}, body: Buffer.alloc(0) } : answer
  const htmlFor =
    (files: RegExp): Host =>
    (answer, { url }) =>
      files.test(url.pathname)
        ? { status: 200, headers: { 'content-type': 'text/html' }, body: Buffer.from('<p>hi</p>') }
        : answer
  const changing =
    (change: (answer: Answer) => Answer): Host =>
    (answer, { before, url }) =>
      before > 1 && url.pathname.endsWith('model.safetensors') ? change(answer) : answer

  const faults: [name: string, host: Host, code: string, message: RegExp][] = [
    ['401', status(401), 'file-unreadable', /config\.json: the server answered 401/],
    ['403', status(403), 'file-unreadable', /config\.json: the server answered 403/],
    ['400', status(400), 'file-unreadable', /config\.json: the server answered 400/],
    ['503', status(503), 'file-unreadable', /config\.json: the server answered 503/],
    [
      '404',
      status(404),
      'config-missing',
      /no config\.json.*config\.json: the server answered 404/,
    ],
    [
      '403 for a file that is needed',
      status(403, /safetensors/),
      'weights-missing',
      /model\.safetensors: the server answered 403/,
    ],
    [
      '403 for the tokenizer',
      status(403, /tokenizer|model$/),
      'tokenizer-missing',
      /tokenizer\.json: the server answered 403/,
    ],
    ['a page', htmlFor(/./), 'config-missing', /config\.json: the server answered with a web page/],
    [
      'a page for the weights',
      htmlFor(/safetensors/),
      'weights-missing',
      /model\.safetensors: the server answered with a web page \(text\/html\)/,
    ],
    [
      'a page for the tokenizer',
      htmlFor(/tokenizer|model$/),
      'tokenizer-missing',
      /tokenizer\.json: the server answered with a web page/,
    ],
    ['no connection', () => undefined, 'file-unreadable', /config\.json: cannot be fetched \(/],
    [
      'a new size',
      changing(({ headers, ...rest }) => ({
        ...rest,
        headers: { ...headers, 'content-range': `${headers['content-range']}0` },
      })),
      'file-changed',
      /model\.safetensors: the file changed on the server while it was read; load again/,
    ],
    [
      'a new ETag',
      (answer, { before }) => ({
        ...answer,
        headers: { ...answer.headers, etag: before > 1 ? '"two"' : '"one"' },
      }),
      'file-changed',
      /the file changed on the server/,
    ],
    [
      'another size without ranges',
      changing((answer) => ({ ...answer, status: 200, headers: {}, body: Buffer.alloc(9) })),
      'file-changed',
      /the file changed on the server/,
    ],
    [
      'a file that went',
      changing(() => ({ status: 404, headers: {}, body: Buffer.alloc(0) })),
      'file-unreadable',
      /asked for a range of bytes, the server answered 404/,
    ],
    [
      'a signature that ran out',
      changing(() => ({ status: 403, headers: {}, body: Buffer.alloc(0) })),
      'file-unreadable',
      /asked for a range of bytes, the server answered 403/,
    ],
    [
      'bytes from another place',
      changing((answer) => ({
        ...answer,
        headers: { ...answer.headers, 'content-range': 'bytes 800000-800003/817988' },
        body: Buffer.alloc(4),
      })),
      'file-unreadable',
      /asked for bytes \d+ to \d+, the server sent 4 from 800000 on/,
    ],
  ]
  test.each(faults)('%s', async (_, host, code, message) => {
    const url = `${await serve(host)}?secret=1`
    const fault = await loadReranker(url).then(
      () => expect.unreachable(`expected ${code}`),
      (fault: Error & { code: string }) => fault,
    )
    expect(fault).toMatchObject({ code, message: expect.stringMatching(message) })
    expect(fault.message).not.toContain('secret')
  })

  it('a shard that is kept back', async () => {
    const index = { weight_map: { a: 'model-1.safetensors' } }
    const sharded: Host = (answer, { url }) =>
      url.pathname.endsWith('index.json')
        ? { status: 200, headers: {}, body: Buffer.from(JSON.stringify(index)) }
        : { ...answer, status: /config/.test(url.pathname) ? answer.status : 403 }
    await expect(FlagReranker.load(await serve(sharded))).rejects.toMatchObject({
      code: 'shard-missing',
      message: expect.stringContaining('model-1.safetensors: the server answered 403'),
    })
  })
})

describe('a browser resolves', () => {
  const scope = (page: string, base?: string) => {
    vi.stubGlobal('location', { href: page, origin: new URL(page).origin })
    vi.stubGlobal('document', base && { baseURI: base })
  }
  const cases: [
    name: string,
    place: string,
    page: string,
    base: string | undefined,
    url: string,
  ][] = [
    ['against the page', 'm', 'https://h/app/index.html?q#x', 'https://h/app/', 'https://h/app/m'],
    ['against the base of the page', 'm', 'https://h/app/', 'https://cdn/x/', 'https://cdn/x/m'],
    ['against a worker', '../m/', 'https://h/app/js/worker.js', undefined, 'https://h/app/m'],
    ['against what made a blob worker', '/m', 'blob:https://h/1-2', undefined, 'https://h/m'],
    [
      'in an extension',
      'm',
      'chrome-extension://abc/p.html',
      undefined,
      'chrome-extension://abc/m',
    ],
    ['a whole URL', 'http://o/m%20x/', 'https://h/', undefined, 'http://o/m%20x'],
    ['another protocol-relative host', '//o/m', 'https://h/', undefined, 'https://o/m'],
  ]
  test.each(cases)('%s', async (_, place, page, base, url) => {
    scope(page, base)
    expect((await browser.openFolder(place)).name).toBe(url)
  })

  it('none from the disk, and says why', async () => {
    scope('file:///home/me/index.html')
    await expect(browser.openFolder('m')).rejects.toMatchObject({
      code: 'place-invalid',
      message:
        "file:///home/me/m: file: URLs are not taken; expected http:, https: or a folder's path",
    })
  })
})
