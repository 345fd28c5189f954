import { basename } from 'node:path'
import { type Command, InvalidArgumentError } from 'commander'
import { environment } from '#platform'
import { type Connection, connect, type ModelSettings, type Runs, runsOf } from '../jobs/index.ts'
import type { Io } from './io.ts'
import { write } from './io.ts'
import { type LayerOptions, type ModelOptions, scoreSettings } from './model.ts'

/** Options of every command that talks to Redis. */
export interface RedisOptions {
  redis?: string
}

/** Adds the options of {@link RedisOptions} to a command. */
export const withRedis = (command: Command): Command =>
  command.option(
    '--redis <url>',
    'address of Redis (default: the environment variable REDIS_URL, else redis://127.0.0.1:6379)',
  )

/** Reads the value of an option that is a time, above 0. */
export const timeIn =
  (unit: 'seconds' | 'days') =>
  (text: string): number => {
    const number = Number(text)
    if (!/^\d+(\.\d+)?$/.test(text) || number <= 0 || number > 1e6) {
      throw new InvalidArgumentError(`Expected a number of ${unit} above 0.`)
    }
    return number
  }

/** Connects to Redis, calls `use` with its runs, and closes the connection in any case. */
export async function withRuns<T>(
  { redis }: RedisOptions,
  io: Io,
  use: (runs: Runs, connection: Connection) => Promise<T>,
): Promise<T> {
  const url = redis ?? (environment('REDIS_URL') || 'redis://127.0.0.1:6379')
  const note = (line: string) => void write(io.stderr, `dawnrank: ${line}\n`).catch(() => {})
  const connection = await connect(url, note)
  const runs = runsOf(connection)
  try {
    return await use(runs, connection)
  } finally {
    await runs.close()
    await connection.close()
  }
}

/** Workers may have other adapters, and are to give the same scores: no adapter chooses the dtype of activations. */
export const jobActivations = ({ activations = 'f32' }: ModelOptions): 'f32' | 'f16' => activations

/** What a model is known by in Redis: its name, and the options that change its scores. */
export const modelSettings = (options: ModelOptions & LayerOptions): ModelSettings => ({
  model: options.model === undefined ? 'embedded' : basename(options.model),
  dtype: options.dtype,
  activations: jobActivations(options),
  ...scoreSettings(options),
})
