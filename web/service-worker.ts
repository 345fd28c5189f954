/**
 * Keeps the page's own files, so that it opens without a network. Models are kept by the engine, not here.
 *
 * The build puts the list of files and their version in.
 */
declare const WEB_VERSION: string
declare const WEB_FILES: readonly string[]
/** What is loaded when it is first needed, and kept once the page has nothing else to do. */
declare const WEB_LATER: readonly string[]

/** What of the scope of a service worker is used: TypeScript's library for it excludes that of pages. */
interface ServiceScope {
  readonly registration: { readonly scope: string }
  readonly clients: { claim(): Promise<void> }
  addEventListener(kind: 'install' | 'activate', listener: (event: LaterEvent) => void): void
  addEventListener(kind: 'message', listener: (event: LaterEvent) => void): void
  addEventListener(kind: 'fetch', listener: (event: AskedEvent) => void): void
}
interface LaterEvent {
  waitUntil(work: Promise<unknown>): void
}
interface AskedEvent extends LaterEvent {
  readonly request: Request
  respondWith(answer: Promise<Response>): void
}

const scope = globalThis as unknown as ServiceScope
const prefix = 'dawnrank-page '
const cacheName = prefix + WEB_VERSION
const addressOf = (file: string) => new URL(file, scope.registration.scope).href

async function install(): Promise<void> {
  const cache = await caches.open(cacheName)
  // The browser's own cache may hold the files of an earlier version.
  await cache.addAll(WEB_FILES.map((file) => new Request(addressOf(file), { cache: 'no-cache' })))
}

async function activate(): Promise<void> {
  for (const name of await caches.keys()) {
    if (name.startsWith(prefix) && name !== cacheName) await caches.delete(name)
  }
  await scope.clients.claim()
}

const kept = new Set([...WEB_FILES, ...WEB_LATER].map(addressOf))
const home = addressOf('')

/** The address of a file of the page, without its query; `undefined` for anything else. */
function fileOf({ method, url }: Request): string | undefined {
  const [address = ''] = url.split(/[?#]/)
  if (method !== 'GET') return undefined
  const file = address === home ? addressOf('index.html') : address
  return kept.has(file) ? file : undefined
}

async function answer(request: Request, file: string): Promise<Response> {
  const cache = await caches.open(cacheName)
  return (await cache.match(file)) ?? fetch(request)
}

/** The page says that it has nothing else to do. */
async function keepRest(): Promise<void> {
  const cache = await caches.open(cacheName)
  for (const address of WEB_LATER.map(addressOf)) {
    if (!(await cache.match(address))) await cache.add(new Request(address, { cache: 'no-cache' }))
  }
}

scope.addEventListener('install', (event) => event.waitUntil(install()))
scope.addEventListener('activate', (event) => event.waitUntil(activate()))
scope.addEventListener('message', (event) => event.waitUntil(keepRest()))
scope.addEventListener('fetch', (event) => {
  const file = fileOf(event.request)
  if (file) event.respondWith(answer(event.request, file))
})
