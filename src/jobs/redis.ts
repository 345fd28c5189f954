import type { Redis } from 'ioredis'
import { JobsError } from './errors.ts'

/** The optional packages, once they are loaded. */
interface Packages {
  readonly bullmq: typeof import('bullmq')
  readonly ioredis: typeof import('ioredis')
}

/** A connection to Redis. */
export interface Connection extends Packages {
  readonly redis: Redis
  /** The address as messages show it: without the password. */
  readonly address: string
  close(): Promise<void>
}

/** @throws JobsError `package-missing` */
async function loadPackages(): Promise<Packages> {
  try {
    const [bullmq, ioredis] = await Promise.all([import('bullmq'), import('ioredis')])
    return { bullmq, ioredis }
  } catch (cause) {
    throw new JobsError(
      'package-missing',
      'offline jobs need the npm packages bullmq and ioredis; install them beside @dawnrank/cli: npm install bullmq ioredis',
      { cause },
    )
  }
}

/**
 * The address of a Redis URL without user and password.
 *
 * @throws JobsError `option-invalid` for what is no Redis URL; the message does not repeat it
 */
export function addressOf(url: string): string {
  const parsed = URL.canParse(url) ? new URL(url) : undefined
  if (!parsed || !/^rediss?:$/.test(parsed.protocol) || !parsed.hostname) {
    throw new JobsError(
      'option-invalid',
      'the Redis URL (--redis or REDIS_URL): expected redis://host:port/db, or rediss:// for TLS',
    )
  }
  return `${parsed.protocol}//${parsed.host}${parsed.pathname}`
}

/**
 * Connects to Redis. A connection that is lost later is opened again, and commands wait for it meanwhile.
 *
 * @param note takes a line when the connection is lost and when it is back
 * @throws JobsError `package-missing`, `option-invalid`, `redis-unreachable`
 */
export async function connect(url: string, note: (line: string) => void): Promise<Connection> {
  const address = addressOf(url)
  const packages = await loadPackages()
  const redis = new packages.ioredis.Redis(url, {
    lazyConnect: true,
    // Commands wait for as long as Redis is away.
    maxRetriesPerRequest: null,
    retryStrategy: (times) => Math.min(100 * times, 5000),
  })
  let why = ''
  redis.on('error', (error: Error) => {
    why = error.message || String((error as NodeJS.ErrnoException).code)
  })
  try {
    await redis.connect()
    await redis.ping()
  } catch (error) {
    redis.disconnect()
    throw new JobsError(
      'redis-unreachable',
      `Redis at ${address} cannot be used (${why || (error as Error).message}); start it, or give another address by --redis or REDIS_URL`,
    )
  }
  let isAway = false
  redis.on('reconnecting', () => {
    if (!isAway) note(`Redis at ${address} is away (${why || 'connection closed'}); trying again`)
    isAway = true
  })
  redis.on('ready', () => {
    if (isAway) note(`Redis at ${address} is back`)
    isAway = false
  })
  return {
    ...packages,
    redis,
    address,
    async close() {
      // Where Redis is away, nobody would answer QUIT.
      if (redis.status === 'ready') await redis.quit().catch(() => {})
      redis.disconnect()
    },
  }
}
