import { type DestinationStream, type Logger, pino } from 'pino'

/** The log of a server: JSON lines, without texts and keys. */
export type Log = Pick<Logger, 'debug' | 'info' | 'warn' | 'error'>

export const logLevels = ['debug', 'info', 'warn', 'error', 'silent'] as const
export type LogLevel = (typeof logLevels)[number]

/** A log to a stream; to stderr where none is given. */
export const makeLog = (level: LogLevel, stream?: DestinationStream): Log =>
  pino(
    { level, base: null, timestamp: pino.stdTimeFunctions.isoTime },
    stream ?? pino.destination({ dest: 2, sync: true }),
  )
