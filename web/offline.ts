/** Keeps the page in this browser, so that it opens without a network. */
import { block, say } from './dom.ts'

export async function keepPage(): Promise<void> {
  const note = block('offline')
  if (!navigator.serviceWorker)
    return say(note, 'This browser does not keep the page for use offline.')
  try {
    await navigator.serviceWorker.register('service-worker.js')
    await navigator.serviceWorker.ready
    say(
      note,
      'This page is kept in this browser and opens without a network, as do models that were loaded once.',
    )
  } catch (fault) {
    say(
      note,
      `The page is not kept for use offline: ${fault instanceof Error ? fault.message : fault}`,
    )
  }
}
