import { type DestinationStream, type Logger, pino } from 'pino'
import type { LogLevel } from './defaults.ts'

/** The log of a server: JSON lines, without texts and keys. */
export type Log = Pick<Logger, 'debug' | 'info' | 'warn' | 'error'>

/** A log to a stream; to stderr where none is given. */
export const makeLog = (level: LogLevel, stream?: DestinationStream): Log =>
  pino(
    { level, base: null, timestamp: pino.stdTimeFunctions.isoTime },
    stream ?? pino.destination({ dest: 2, sync: true }),
  )
