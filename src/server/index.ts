/** The HTTP server. */
export type { ServedModel } from './models.ts'
export { type RunningServer, type ServerOptions, startServer } from './serve.ts'
