import { gzipSync } from 'node:zlib'
import type { Answer, Host } from './file-server.ts'

// How static hosts differ: what each does that a plain server does not.

const none = Buffer.alloc(0)
const page = Buffer.from('<!doctype html><html><body><div id="app"></div></body></html>')

const without = ({ headers, ...rest }: Answer, ...names: string[]): Answer => ({
  ...rest,
  headers: Object.fromEntries(Object.entries(headers).filter(([name]) => !names.includes(name))),
})

const withHeaders = (answer: Answer, headers: Readonly<Record<string, string>>): Answer => ({
  ...answer,
  headers: { ...answer.headers, ...headers },
})

const packed = (answer: Answer): Answer =>
  withHeaders({ ...answer, body: gzipSync(answer.body) }, { 'content-encoding': 'gzip' })

/** The whole file, whatever range was asked for. */
const whole = (answer: Answer, file: Buffer | undefined): Answer =>
  file ? without({ ...answer, status: 200, body: file }, 'content-range', 'accept-ranges') : answer

const htmlPage = (type?: string): Answer => ({
  status: 200,
  headers: type ? { 'content-type': type } : {},
  body: page,
})

/** Hosts from which a model loads as from any other. */
export const hosts: Readonly<Record<string, Host>> = {
  plain: (answer) => answer,
  'packs JSON as GitHub Pages does': (answer, { url, range }) =>
    !range && url.pathname.endsWith('.json') ? packed(answer) : answer,
  'refuses HEAD': (answer, { method }) =>
    method === 'HEAD' ? { ...answer, status: 405, body: none } : answer,
  'wants a signature': (answer, { url }) =>
    url.searchParams.get('sig') === '1' ? answer : { status: 403, headers: {}, body: none },
  'answers a page for what is missing': (answer) =>
    answer.status === 404 ? htmlPage('text/html; charset=utf-8') : answer,
  'answers a page without a type': (answer) => (answer.status === 404 ? htmlPage() : answer),
  'answers a page as JSON': (answer) =>
    answer.status === 404 ? htmlPage('application/json') : answer,
  'answers 403 for what is missing': (answer) =>
    answer.status === 404 ? { ...answer, status: 403 } : answer,
  'answers 410 for what is missing': (answer) =>
    answer.status === 404 ? { ...answer, status: 410 } : answer,
  'has no ranges': (answer, { file }) => whole(answer, file),
  'has no ranges, and packs': (answer, { file }) => (file ? packed(whole(answer, file)) : answer),
  'has no ranges for small files': (answer, { file }) =>
    file && file.length < 10_000 ? whole(answer, file) : answer,
  'has ranges at first': (answer, { file, before }) => (before > 1 ? whole(answer, file) : answer),
  'refuses ranges': (answer, { range, file }) =>
    range && file ? { ...answer, status: 501, body: none } : answer,
  'closes when asked for ranges': (answer, { range, file }) =>
    range && file && file.length < 10_000 ? undefined : answer,
  'hides Content-Range': (answer) => without(answer, 'content-range', 'accept-ranges'),
  'does not know sizes': (answer) =>
    answer.status === 206
      ? withHeaders(answer, {
          'content-range': (answer.headers['content-range'] ?? '').replace(/\d+$/, '*'),
        })
      : answer,
  'packs ranges': (answer) => (answer.status === 206 ? packed(answer) : answer),
  'sends ranges of a packed file': (answer, { range, file }) => {
    if (!file) return answer
    const all = gzipSync(file)
    const end = Math.min(Number(/-(\d+)$/.exec(range ?? '')?.[1] ?? all.length), all.length - 1)
    const place = range && { 'content-range': `bytes 0-${end}/${all.length}` }
    const headers = { 'content-encoding': 'gzip', ...place }
    return withHeaders({ ...answer, body: all.subarray(0, end + 1) }, headers)
  },
  'sends less than asked': (answer, { file }) => {
    const most = 30_000
    if (answer.status !== 206 || answer.body.length <= most) return answer
    const start = Number(/\d+/.exec(answer.headers['content-range'] ?? '')?.[0])
    return withHeaders(
      { ...answer, body: answer.body.subarray(0, most) },
      { 'content-range': `bytes ${start}-${start + most - 1}/${file?.length}` },
    )
  },
  'sends more than asked': (answer, { range, file }) =>
    range && file
      ? withHeaders(
          { ...answer, body: file },
          { 'content-range': `bytes 0-${file.length - 1}/${file.length}` },
        )
      : answer,
  'is busy at first': (answer, { before }) =>
    before === 0 ? { status: 503, headers: { 'retry-after': '1' }, body: none } : answer,
  'limits the rate': (answer, { before }) =>
    before === 1 ? { status: 429, headers: {}, body: none } : answer,
  'closes now and then': (answer, { before }) => (before === 1 ? undefined : answer),
  'breaks off in a body': (answer, { before }) =>
    before === 1
      ? withHeaders(
          { ...answer, body: answer.body.subarray(0, 10) },
          { 'content-length': String(answer.body.length), connection: 'close' },
        )
      : answer,
  'redirects to signed addresses': (answer, { url }) =>
    url.searchParams.has('signed') || answer.status === 404
      ? answer
      : {
          status: 302,
          headers: { location: `${url.pathname}?signed=${Math.random()}` },
          body: none,
        },
  'has ETags': (answer) => withHeaders(answer, { etag: '"one"' }),
  'has weak ETags that differ': (answer) => withHeaders(answer, { etag: `W/"${Math.random()}"` }),
}

/** Hosts that let pages of other origins read files, and see headers, or those alone that CORS shows by itself. */
export const foreign: Readonly<Record<string, Host>> = {
  'shows its headers to other origins': (answer) =>
    withHeaders(answer, {
      'access-control-allow-origin': '*',
      'access-control-expose-headers': 'content-range, accept-ranges, content-length',
    }),
  'hides its headers from other origins': (answer) =>
    withHeaders(answer, { 'access-control-allow-origin': '*' }),
  'hides from other origins that it packs JSON': (answer, { url, range }) =>
    withHeaders(!range && url.pathname.endsWith('.json') ? packed(answer) : answer, {
      'access-control-allow-origin': '*',
    }),
}
