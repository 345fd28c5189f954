/** What the library has of tuning; the measuring is imported when it is asked for. */
import type { TuneOptions, TuneReport } from './tune.ts'

/**
 * Measures every kernel that an adapter can run, operation by operation in turns, and keeps the fastest for later loads
 * on the same adapter: on this machine, or in this browser. Scores stay within the tolerances whichever is used.
 */
export const tune = async (options: TuneOptions = {}): Promise<TuneReport> =>
  (await import('./tune.ts')).tune(options)

/** Forgets what {@link tune} kept of an adapter; gives the place where it was. */
export const forgetTuned = async (
  options: Pick<TuneOptions, 'device' | 'adapter'> = {},
): Promise<string> => (await import('./tune.ts')).forgetTuned(options)
