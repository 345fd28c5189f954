/** The HTTP server. */
export { ServerError } from './errors.ts'
export { type LogLevel, logLevels } from './log.ts'
export type { ServedModel } from './models.ts'
export { type RunningServer, type ServerOptions, startServer } from './serve.ts'
