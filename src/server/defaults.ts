/** What a server does where its user says nothing else. Apart, so that the command line shows it without loading a server. */
export const defaults = {
  host: '127.0.0.1',
  port: 8000,
  maxConcurrentRequests: 512,
  maxWaitingDocuments: 32_000,
  maxClientBatchSize: 1000,
  payloadLimit: 2_000_000,
  requestTimeout: 300,
  logLevel: 'info',
} as const

export const logLevels = ['debug', 'info', 'warn', 'error', 'silent'] as const
export type LogLevel = (typeof logLevels)[number]
