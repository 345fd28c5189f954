// Deno's side of the test: the request comes as JSON on standard input, scores go out as JSON.
import { loadReranker } from '../../dist/index.js'
import { scoreCases } from './score.mjs'

const request = await new Response(Deno.stdin.readable).json()
console.log(JSON.stringify(await scoreCases(loadReranker, request)))
