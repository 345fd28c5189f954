import type { Server } from 'node:http'
import type { Socket } from 'node:net'

/**
 * Follows the connections of a server.
 *
 * @returns what closes those without a request; `closeIdleConnections` leaves open those that never had one, which some
 * clients open ahead
 */
export function followConnections(server: Server): () => void {
  const requests = new Map<Socket, number>()
  server.on('connection', (socket) => {
    requests.set(socket, 0)
    socket.once('close', () => requests.delete(socket))
  })
  server.on('request', ({ socket }, response) => {
    requests.set(socket, (requests.get(socket) ?? 0) + 1)
    response.once('close', () => {
      if (requests.has(socket)) requests.set(socket, (requests.get(socket) ?? 1) - 1)
    })
  })
  return () => {
    for (const [socket, count] of requests) if (count === 0) socket.destroySoon()
  }
}
