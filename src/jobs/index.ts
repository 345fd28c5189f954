/** Offline jobs: runs of many queries on a Redis queue (BullMQ). */
export { JobsError } from './errors.ts'
export { type Connection, connect } from './redis.ts'
export { type ModelSettings, type RunSettings, type Runs, runsOf } from './runs.ts'
export { work } from './work.ts'
