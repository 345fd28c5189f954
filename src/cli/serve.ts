import { type Command, InvalidArgumentError, Option } from 'commander'
import { environment } from '#platform'
import { defaults, type LogLevel, logLevels } from '../server/defaults.ts'
import { CliError } from './errors.ts'
import { type Io, write } from './io.ts'
import {
  type LoadingOptions,
  loadOptions,
  onDevices,
  wholeNumber,
  withDevices,
  withLoadingOptions,
} from './model.ts'

interface ServeOptions extends LoadingOptions {
  host: string
  port: number
  apiKey: string[]
  corsOrigin: string[]
  maxConcurrentRequests: number
  maxWaitingDocuments: number
  maxClientBatchSize: number
  payloadLimit: number
  requestTimeout: number
  maxModelMemory?: number
  autoTruncate: boolean
  logLevel: LogLevel
}

const help = `
Models are folders, URLs or names on the Hugging Face Hub, or NAME=PLACE to
choose the name that requests use:
      dawnrank serve
      dawnrank serve bge=models/bge-reranker-v2-m3 minilm=models/minilm
The first is loaded at once, the others at their first use.

Routes: /v2/rerank (Cohere), /v1/rerank (Jina, vLLM, Cohere v1), /rerank
(text-embeddings-inference, or as /v1/rerank), /score (vLLM); of embedders
/v1/embeddings (OpenAI) and /embed (text-embeddings-inference); /v1/models,
/health, /info, /metrics, /docs and /openapi.json; / is a page to try it.
      curl http://127.0.0.1:8000/v1/rerank -H 'content-type: application/json' \\
        -d '{"query": "what is panda?", "documents": ["hi", "The panda is a bear."]}'

Requests need a key if --api-key or DAWNRANK_API_KEY gives one. SIGTERM and
SIGINT stop the server once it has answered what it accepted; a second one stops
it at once. The log is on stderr, one JSON object per line, without any texts.
`

function port(text: string): number {
  const number = Number(text)
  if (/^\d+$/.test(text) && number <= 65535) return number
  throw new InvalidArgumentError('Expected a port from 0 to 65535.')
}

const collect = (value: string, before: string[]) => [...before, value]

/** Adds `dawnrank serve` to the program. */
export function addServe(program: Command, io: Io): void {
  const command = program
    .command('serve')
    .summary('serve models over HTTP')
    .description('Serves models over HTTP, in the dialects of Cohere, Jina, vLLM, TEI and OpenAI.')
    .argument('[models...]', 'folders, URLs or names, or NAME=PLACE (default: an embedded model)')
    .option('--host <host>', 'address to listen at; 0.0.0.0 for all', defaults.host)
    .option('--port <port>', 'port to listen at; 0 for any free one', port, defaults.port)
    .option('--api-key <key>', 'key that requests need; may be repeated', collect, [])
    .option('--cors-origin <origin>', 'origin of pages that may call; may be repeated', collect, [])
    .option(
      '--max-concurrent-requests <n>',
      'requests accepted at a time',
      wholeNumber,
      defaults.maxConcurrentRequests,
    )
    .option(
      '--max-waiting-documents <n>',
      'documents that may wait',
      wholeNumber,
      defaults.maxWaitingDocuments,
    )
    .option(
      '--max-client-batch-size <n>',
      'documents of a request',
      wholeNumber,
      defaults.maxClientBatchSize,
    )
    .option('--payload-limit <bytes>', 'bytes of a request', wholeNumber, defaults.payloadLimit)
    .option(
      '--request-timeout <seconds>',
      'time of a request',
      wholeNumber,
      defaults.requestTimeout,
    )
    .option('--max-model-memory <MB>', 'memory of all loaded models (default: any)', wholeNumber)
    .option(
      '--no-auto-truncate',
      'requests in the form of TEI fail if a text is too long and they do not set truncate',
    )
    .addOption(
      new Option('--log-level <level>', 'what is logged')
        .choices(logLevels)
        .default(defaults.logLevel),
    )
  withDevices(withLoadingOptions(command))
    .addHelpText('after', help)
    .action((models: string[], options: ServeOptions) => serve(models, options, io))
}

/** Runs `dawnrank serve` until a signal stops it. */
async function serve(models: readonly string[], options: ServeOptions, io: Io): Promise<void> {
  // Other commands need nothing of it.
  const { startServer } = await import('../server/index.ts')
  const { apiKey, corsOrigin, maxModelMemory, devices, ...limits } = options
  const server = await startServer({
    ...limits,
    models,
    apiKeys: keysOf(apiKey),
    corsOrigins: corsOrigin,
    maxModelBytes: maxModelMemory === undefined ? undefined : maxModelMemory * 1e6,
    loadOptions: loadOptions(options),
    ...(devices !== undefined && { load: onDevices(devices) }),
  }).catch((cause: NodeJS.ErrnoException) => {
    throw cause.syscall === 'listen' ? cannotListen(cause, options) : cause
  })
  const stopped = whenStopped(io.signal)
  try {
    await write(io.stdout, `dawnrank listens at ${server.url}\n`)
    await Promise.race([server.ready.then(() => stopped), stopped])
  } finally {
    await server.close()
  }
}

function keysOf(given: readonly string[]): string[] {
  const keys = [...given, environment('DAWNRANK_API_KEY') ?? ''].filter((key) => key !== '')
  if (!given.includes('')) return keys
  throw new CliError('usage', '--api-key: found an empty key; give one, or leave the option out')
}

const cannotListen = (cause: NodeJS.ErrnoException, { host, port: asked }: ServeOptions) =>
  new CliError(
    'address-unavailable',
    `cannot listen at ${host}, port ${asked} (${cause.code}); choose another with --host and --port`,
    { cause },
  )

/** Resolves at SIGTERM, or when the user interrupts. A second SIGTERM ends the process at once. */
function whenStopped(interrupted: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    process.once('SIGTERM', () => {
      process.once('SIGTERM', () => process.exit(143))
      resolve()
    })
    interrupted.addEventListener('abort', () => resolve())
    if (interrupted.aborted) resolve()
  })
}
