// Scores in a worker, with a message for the request and one for the answer.
import { loadReranker } from '../../dist/browser.js'
import { scoreCases } from './score.mjs'

globalThis.onmessage = async ({ data }) => {
  try {
    globalThis.postMessage({ scores: await scoreCases(loadReranker, data) })
  } catch (fault) {
    globalThis.postMessage({ fault: String(fault) })
  }
}
