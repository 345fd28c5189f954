// @ts-check
// A registry with the packed packages, for package managers to install from by name. All others are where they were.
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { createServer } from 'node:http'

/**
 * @typedef {object} Packed a package as `npm pack` leaves it
 * @property {Record<string, unknown> & { name: string, version: string }} manifest its package.json
 * @property {string} file
 */

/**
 * Starts it; `close` ends it.
 * @param {readonly Packed[]} packages
 * @param {string} upstream the registry of all other packages
 */
export async function startRegistry(packages, upstream) {
  const server = createServer((request, response) => {
    const path = decodeURIComponent(new URL(request.url ?? '/', origin).pathname)
    const tarball = packages.find(({ file }) => path === `/tarballs/${nameOf(file)}`)
    if (tarball) return response.end(readFileSync(tarball.file))
    const known = packages.find(({ manifest }) => path === `/${manifest.name}`)
    if (!known) {
      return response.writeHead(302, { location: new URL(`.${request.url}`, upstream).href }).end()
    }
    response.setHeader('content-type', 'application/json')
    response.end(JSON.stringify(packument(known)))
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = /** @type {import('node:net').AddressInfo} */ (server.address())
  const origin = `http://127.0.0.1:${port}/`

  /** @param {Packed} packed */
  function packument({ manifest, file }) {
    const integrity = `sha512-${createHash('sha512').update(readFileSync(file)).digest('base64')}`
    const dist = { tarball: `${origin}tarballs/${nameOf(file)}`, integrity }
    const { name, version } = manifest
    return {
      name,
      'dist-tags': { latest: version },
      versions: { [version]: { ...manifest, dist } },
      time: { [version]: '2020-01-01T00:00:00.000Z' },
    }
  }

  return {
    url: origin,
    async close() {
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    },
  }
}

/** @param {string} file */
const nameOf = (file) => file.slice(file.lastIndexOf('/') + 1)
