// Deno's side of the test: the request comes as JSON on standard input, scores go out as JSON.
import { FlagReranker } from '../../dist/index.js'
import { scoreCases } from './score.mjs'

const request = await new Response(Deno.stdin.readable).json()
console.log(JSON.stringify(await scoreCases(FlagReranker, request)))
