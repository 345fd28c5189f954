// Bun's side of the test: the request comes as JSON on standard input, scores go out as JSON.
import { loadReranker } from '../../dist/index.js'
import { scoreCases } from './score.mjs'

console.log(JSON.stringify(await scoreCases(loadReranker, await Bun.stdin.json())))
