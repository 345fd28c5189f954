// A stand-in for the Hugging Face hub on loopback: the API routes, the file routes, an LFS store on a second origin, and faults.
//   node hub-mock.mjs [--port N] [--repo ORG/NAME=FOLDER]... [--size BYTES] [--xet] [--page N] [--fault SPEC]...
// prints one line of JSON ({ url, cdn, repos }) and serves until SIGTERM. As a module: `const hub = await startHubMock({ … })`.
// No dependencies. Node 20 or later. What it imitates was read in huggingface_hub 2.4.0 and @huggingface/hub 2.17.5.
import { once } from 'node:events'
import { createServer } from 'node:http'
import { fileURLToPath } from 'node:url'
import { gzipSync } from 'node:zlib'
import { folderFiles, hash, makeRepo, text, tinyFiles } from './mock-repos.mjs'

/** 'cut=1000,match=model.safetensors,times=2,on=cdn' -> { cut: 1000, match, times, on } */
function parseFault(spec) {
  if (typeof spec !== 'string') return { times: Infinity, ...spec }
  const fault = { times: Infinity }
  for (const part of spec.split(',')) {
    const [key, value = 'true'] = part.split(/=(.*)/s)
    fault[key] = /^-?\d+$/.test(value) ? Number(value) : value === 'true' ? true : value
  }
  return fault
}

const listen = (handler, port = 0) =>
  new Promise((done, fail) => {
    const server = createServer(handler)
    server.on('error', fail).listen(port, '127.0.0.1', () => done(server))
  })
const base = (server) => `http://127.0.0.1:${server.address().port}`
const wait = (ms) => new Promise((done) => setTimeout(done, ms))

export async function startHubMock({
  port = 0,
  size = 300_000,
  repos = {},
  faults = [],
  xet = false,
  page = 1000,
  token = 'hf_good',
} = {}) {
  const store = new Map()
  const add = (name, versions, access) => store.set(name, makeRepo(name, versions, access))
  add('acme/tiny-reranker', [tinyFiles(1, size), tinyFiles(2, size)])
  add('acme/private-reranker', [tinyFiles(3, size)], { token })
  add('acme/gated-reranker', [tinyFiles(4, size)], { token, gated: true })
  for (const [name, folder] of Object.entries(repos)) add(name, [folderFiles(folder)])

  const live = { faults: faults.map(parseFault), requests: [], leaks: 0, bytes: 0 }
  /** The first fault that fits and has turns left; taking it uses one turn. */
  const fault = (on, path, ...kinds) => {
    const found = live.faults.find(
      (f) =>
        f.times > 0 &&
        (!f.on || f.on === on) &&
        (!f.match || path.includes(f.match)) &&
        kinds.some((k) => k in f),
    )
    if (found) found.times--
    return found
  }
  const commitHeaders = (c) => ({ 'x-repo-commit': c.id })

  function fail(res, status, code, message, extra = {}) {
    const body = JSON.stringify({ error: message })
    res.writeHead(status, {
      'content-type': 'application/json',
      ...(code && { 'x-error-code': code }),
      'x-error-message': message,
      ...extra,
    })
    res.end(res.req.method === 'HEAD' ? undefined : body)
  }
  /** Status faults: 401, 403, 404, 429, 5xx. Answers and returns true when one fits. */
  function refused(res, on, path) {
    const f = fault(on, path, 'status')
    if (!f) return false
    const extra = {}
    if (f.status === 429) {
      const seconds = f.retryAfter ?? 1
      if (f.ratelimit)
        Object.assign(extra, {
          ratelimit: `"resolvers";r=0;t=${seconds}`,
          'ratelimit-policy': '"fixed window";"resolvers";q=3000;w=300',
        })
      else
        extra['retry-after'] = f.date
          ? new Date(Date.now() + seconds * 1000).toUTCString()
          : String(seconds)
    }
    const code = f.code ?? { 403: 'GatedRepo', 404: 'EntryNotFound' }[f.status]
    fail(res, f.status, code, `mock fault ${f.status}`, extra)
    return true
  }

  /** Bytes with Range, and the faults of a transfer. `head`: headers to add. */
  async function send(req, res, on, path, bytes, head) {
    const f = fault(
      on,
      path,
      'cut',
      'short',
      'long',
      'corrupt',
      'slow',
      'stall',
      'noRange',
      'noLength',
      'html',
      'pointer',
      'gzip',
    )
    const has = (kind) => f && kind in f
    if (has('html')) bytes = text('<!doctype html><title>Sign in to this network</title>')
    if (has('pointer'))
      bytes = text(
        `version https://git-lfs.github.com/spec/v1\noid sha256:${hash('sha256', bytes)}\nsize ${bytes.length}\n`,
      )
    if (has('short'))
      bytes = bytes.subarray(0, Math.max(0, bytes.length - (f.short === true ? 1 : f.short)))
    if (has('long')) bytes = Buffer.concat([bytes, Buffer.alloc(f.long === true ? 1 : f.long)])
    if (has('corrupt')) {
      bytes = Buffer.from(bytes)
      bytes[f.corrupt === true ? bytes.length >> 1 : f.corrupt] ^= 0xff
    }
    const headers = {
      'accept-ranges': 'bytes',
      'content-type': has('html') ? 'text/html' : 'application/octet-stream',
      ...head,
    }
    const range = /^bytes=(\d+)-(\d*)$/.exec(req.headers.range ?? '')
    let status = 200
    if (range && !has('noRange')) {
      const from = Number(range[1])
      const to = range[2] === '' ? bytes.length - 1 : Math.min(Number(range[2]), bytes.length - 1)
      if (from > to) {
        res.writeHead(416, { 'content-range': `bytes */${bytes.length}`, ...head }).end()
        return
      }
      status = 206
      headers['content-range'] = `bytes ${from}-${to}/${bytes.length}`
      bytes = bytes.subarray(from, to + 1)
    }
    if (has('gzip') && status === 200 && /gzip/.test(req.headers['accept-encoding'] ?? '')) {
      bytes = gzipSync(bytes)
      headers['content-encoding'] = 'gzip'
    } else if (!has('noLength')) headers['content-length'] = bytes.length
    res.writeHead(status, headers)
    if (req.method === 'HEAD') return void res.end()
    const end = has('cut')
      ? Math.min(f.cut === true ? bytes.length >> 1 : f.cut, bytes.length)
      : bytes.length
    const chunk = has('slow')
      ? Math.max(1, Math.floor((f.slow === true ? 20_000 : f.slow) / 20))
      : 65_536
    for (let at = 0; at < end; at += chunk) {
      const part = bytes.subarray(at, Math.min(end, at + chunk))
      live.bytes += part.length
      if (!res.write(part)) {
        const gone = new AbortController()
        await Promise.race(
          ['drain', 'close'].map((event) =>
            once(res, event, { signal: gone.signal }).catch(() => {}),
          ),
        )
        gone.abort()
      }
      if (res.destroyed) return
      if (has('slow')) await wait(50)
      if (has('stall') && at + chunk >= end / 2) return // keeps the connection, sends no more
    }
    if (has('cut')) return void setTimeout(() => res.destroy(), 20) // lets what was written leave first
    res.end()
  }

  const cdn = await listen(async (req, res) => {
    const url = new URL(req.url, base(cdn))
    live.requests.push({
      on: 'cdn',
      method: req.method,
      path: url.pathname,
      range: req.headers.range,
      auth: Boolean(req.headers.authorization),
    })
    if (req.headers.authorization) {
      live.leaks++ // a signed URL with a token on top: the store refuses it, as S3 does, and the token has left the hub
      return void res
        .writeHead(400, { 'content-type': 'application/xml' })
        .end('<Error><Code>InvalidArgument</Code></Error>')
    }
    const [, name, id, path] =
      /^\/repos\/([^/]+\/[^/]+)\/([0-9a-f]{40})\/(.+)$/.exec(decodeURIComponent(url.pathname)) ?? []
    const entry = store.get(name)?.commits.get(id)?.entries.get(path)
    if (!entry) return void res.writeHead(404).end()
    if (url.searchParams.get('signature') !== 'mock') return void res.writeHead(403).end()
    if (refused(res, 'cdn', path)) return
    await send(req, res, 'cdn', path, entry.bytes, { etag: `"${hash('md5', entry.bytes)}"` })
  })

  const hub = await listen(async (req, res) => {
    const url = new URL(req.url, base(hub))
    const route = decodeURIComponent(url.pathname)
    live.requests.push({
      on: 'hub',
      method: req.method,
      path: route + url.search,
      range: req.headers.range,
      auth: Boolean(req.headers.authorization),
    })
    let body = ''
    for await (const part of req) body += part
    const api =
      /^\/api\/models\/([^/]+\/[^/]+)(?:\/(revision|tree|paths-info|resolve-cache)\/([^/]+)(?:\/(.*))?)?$/.exec(
        route,
      )
    const cached = /^\/api\/resolve-cache\/models\/([^/]+\/[^/]+)\/([0-9a-f]{40})\/(.+)$/.exec(
      route,
    )
    const file = /^\/([^/]+\/[^/]+)\/(resolve|raw)\/([^/]+)\/(.+)$/.exec(route)
    const [, name] = api ?? cached ?? file ?? []
    if (!name) return fail(res, 404, undefined, 'Not found')
    if (refused(res, api ? 'api' : 'hub', route)) return
    const repo = store.get(name)
    const key = req.headers.authorization?.replace(/^Bearer /, '')
    if (key && key !== token)
      return fail(res, 401, undefined, 'Invalid credentials in Authorization header')
    if (!repo || (repo.token && !repo.gated && key !== repo.token)) {
      return key
        ? fail(res, 404, 'RepoNotFound', 'Repository not found')
        : fail(res, 401, 'RepoNotFound', 'Invalid username or password.')
    }
    if (repo.gated && key !== repo.token && !api) {
      return fail(
        res,
        key ? 403 : 401,
        'GatedRepo',
        `Access to model ${name} is restricted. You must be authenticated to access it.`,
      )
    }
    const revision = cached ? cached[2] : ((api ?? file)[3] ?? 'main')
    const c = repo.commits.get(repo.refs.get(revision) ?? revision)
    if (!c) return fail(res, 404, 'RevisionNotFound', `Invalid rev id: ${revision}`)
    if (fault('hub', route, 'moveBranch')) repo.refs.set('main', repo.commits.keys().next().value)
    if (api) return apiRoute(req, res, url, repo, c, api[2], api[4], body)
    const path = cached ? cached[3] : file[4]
    const entry = c.entries.get(path)
    if (!entry) return fail(res, 404, 'EntryNotFound', 'Entry not found', commitHeaders(c))
    const odd = fault('hub', route, 'noEtag', 'noCommit', 'redirectLoop')
    const head = {
      ...(odd && 'noCommit' in odd ? {} : commitHeaders(c)),
      'access-control-expose-headers':
        'X-Repo-Commit,X-Linked-ETag,X-Linked-Size,ETag,Content-Range',
    }
    if (odd && 'redirectLoop' in odd)
      return void res.writeHead(302, { ...head, location: req.url }).end()
    const etag = (value) => (odd && 'noEtag' in odd ? {} : { etag: `"${value}"` })
    if (file?.[2] === 'raw')
      return send(req, res, 'hub', path, entry.pointer ?? entry.bytes, {
        ...head,
        ...etag(entry.oid),
      })
    if (!entry.sha) {
      // A small file: the hub first sends the client to a cacheable address on its own origin.
      if (!cached)
        return void res
          .writeHead(307, {
            ...head,
            ...etag(entry.oid),
            'x-linked-size': entry.size,
            ...(odd ? {} : { 'x-linked-etag': `"${entry.oid}"` }),
            location: `/api/resolve-cache/models/${name}/${c.id}/${encodeURIComponent(path)}`,
          })
          .end()
      return send(req, res, 'hub', path, entry.bytes, {
        ...head,
        ...etag(entry.oid),
        'content-disposition': `inline; filename="${path.split('/').at(-1)}"`,
      })
    }
    const linked = {
      ...head,
      'x-linked-size': entry.size,
      ...(odd && 'noEtag' in odd ? {} : { 'x-linked-etag': `"${entry.sha}"` }),
    }
    if (xet) {
      const id = hash('sha256', 'xet', entry.bytes)
      const auth = `${base(hub)}/api/models/${name}/xet-read-token/${c.id}`
      Object.assign(linked, {
        'x-xet-hash': id,
        link: `<${auth}>; rel="xet-auth", <${base(cdn)}/v1/reconstructions/${id}>; rel="xet-reconstruction-info"`,
      })
      if (/vnd\.xet-fileinfo\+json/.test(req.headers.accept ?? '') && req.method === 'GET') {
        return void res
          .writeHead(200, { ...linked, 'content-type': 'application/vnd.xet-fileinfo+json' })
          .end('{}')
      }
    }
    const signed = `${base(cdn)}/repos/${name}/${c.id}/${encodeURIComponent(path)}?signature=mock&expires=4102444800`
    res
      .writeHead(302, { ...linked, location: signed, 'content-type': 'text/plain' })
      .end(req.method === 'HEAD' ? undefined : `Found. Redirecting to ${signed}`)
  }, port)

  function apiRoute(_req, res, url, repo, c, kind, path = '', body) {
    const odd = fault('api', url.pathname, 'html', 'evilPath', 'slow')
    if (odd && 'html' in odd)
      return void res
        .writeHead(200, { 'content-type': 'text/html' })
        .end('<!doctype html><title>Sign in</title>')
    const listed = (e) => ({
      type: 'file',
      oid: e.oid,
      size: e.size,
      path: e.path,
      ...(e.sha && { lfs: { oid: e.sha, size: e.size, pointerSize: e.pointer.length } }),
      ...(e.sha && xet && { xetHash: hash('sha256', 'xet', e.bytes) }),
    })
    const all = [...c.entries.values()].sort((a, b) => (a.path < b.path ? -1 : 1))
    const answer = (value, extra = {}) => {
      res.writeHead(200, { 'content-type': 'application/json; charset=utf-8', ...extra })
      res.end(JSON.stringify(value))
    }
    if (kind === 'tree') {
      const recursive = url.searchParams.get('recursive')?.toLowerCase() === 'true'
      const under = all.filter((e) => !path || e.path.startsWith(`${path}/`))
      const rows = new Map()
      for (const e of under) {
        const parts = e.path.slice(path ? path.length + 1 : 0).split('/')
        const upTo = recursive ? parts.length : 1
        for (let i = 1; i < parts.length && i <= upTo; i++) {
          const folder = [path, ...parts.slice(0, i)].filter(Boolean).join('/')
          rows.set(folder, { type: 'directory', oid: hash('sha1', folder), size: 0, path: folder })
        }
        if (recursive || parts.length === 1) rows.set(e.path, listed(e))
      }
      const list = [...rows.values()]
      if (odd && 'evilPath' in odd)
        list.push({ type: 'file', oid: '0'.repeat(40), size: 4, path: '../../../escaped.txt' })
      const start = Number(url.searchParams.get('cursor') ?? 0)
      const limit = Math.min(Number(url.searchParams.get('limit') ?? page), page)
      const next = new URL(url)
      next.searchParams.set('cursor', String(start + limit))
      return answer(
        list.slice(start, start + limit),
        start + limit < list.length ? { link: `<${next}>; rel="next"` } : {},
      )
    }
    if (kind === 'paths-info') {
      const asked = body.startsWith('{')
        ? JSON.parse(body)
        : Object.fromEntries([
            ['paths', new URLSearchParams(body).getAll('paths')],
            ['expand', new URLSearchParams(body).get('expand')],
          ])
      const paths = [asked.paths].flat()
      const expand = [true, 'true', 'True'].includes(asked.expand)
      return answer(
        all
          .filter((e) => paths.includes(e.path))
          .map((e) => ({
            ...listed(e),
            ...(expand && {
              lastCommit: { id: c.id, title: 'mock', date: '2026-01-01T00:00:00.000Z' },
            }),
          })),
      )
    }
    const blobs = ['true', 'True', '1'].includes(url.searchParams.get('blobs') ?? '')
    return answer({
      _id: '0'.repeat(24),
      id: repo.name,
      modelId: repo.name,
      author: repo.name.split('/')[0],
      sha: c.id,
      lastModified: '2026-01-01T00:00:00.000Z',
      createdAt: '2026-01-01T00:00:00.000Z',
      private: Boolean(repo.token && !repo.gated),
      gated: repo.gated ? 'auto' : false,
      disabled: false,
      downloads: 0,
      likes: 0,
      tags: ['safetensors'],
      pipeline_tag: 'text-classification',
      library_name: 'transformers',
      siblings: all.map((e) => ({
        rfilename: e.path,
        ...(blobs && {
          size: e.size,
          blobId: e.oid,
          ...(e.sha && { lfs: { sha256: e.sha, size: e.size, pointerSize: e.pointer.length } }),
        }),
      })),
    })
  }

  return {
    url: base(hub),
    cdn: base(cdn),
    token,
    get requests() {
      return live.requests
    },
    /** Replaces the faults: strings or objects. */
    set(...list) {
      live.faults = list.map(parseFault)
    },
    reset() {
      live.faults = []
      live.requests.length = 0
      Object.assign(live, { leaks: 0, bytes: 0 })
    },
    get leaks() {
      return live.leaks
    },
    get bytes() {
      return live.bytes
    },
    repo: (name) => store.get(name),
    close: () =>
      Promise.all(
        [hub, cdn].map(
          (s) =>
            new Promise((done) => {
              s.close(done)
              s.closeAllConnections()
            }),
        ),
      ),
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const options = { repos: {}, faults: [] }
  const args = process.argv.slice(2)
  for (let i = 0; i < args.length; i++) {
    if (args[i] === '--port') options.port = Number(args[++i])
    else if (args[i] === '--size') options.size = Number(args[++i])
    else if (args[i] === '--page') options.page = Number(args[++i])
    else if (args[i] === '--xet') options.xet = true
    else if (args[i] === '--fault') options.faults.push(args[++i])
    else if (args[i] === '--repo') {
      const [name, folder] = args[++i].split(/=(.*)/s)
      options.repos[name] = folder
    } else {
      console.error(`unknown option ${args[i]}; see the head of this file`)
      process.exit(2)
    }
  }
  const mock = await startHubMock(options)
  console.log(
    JSON.stringify({
      url: mock.url,
      cdn: mock.cdn,
      token: mock.token,
      repos: [
        'acme/tiny-reranker',
        'acme/private-reranker',
        'acme/gated-reranker',
        ...Object.keys(options.repos),
      ],
    }),
  )
  for (const signal of ['SIGTERM', 'SIGINT'])
    process.on(signal, () => mock.close().then(() => process.exit(0)))
}
