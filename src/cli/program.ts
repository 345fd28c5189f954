import { Command, CommanderError } from 'commander'
import { version } from '../../package.json'
import { DawnrankError } from '../error.ts'
import { HubError } from '../hub/errors.ts'
import { TensorError } from '../tensor/errors.ts'
import { addBench } from './bench.ts'
import { addCache } from './cache.ts'
import { addDoctor } from './doctor.ts'
import { addEmbed } from './embed.ts'
import { addEnqueue } from './enqueue.ts'
import { CliError } from './errors.ts'
import { addEval } from './eval.ts'
import { addIndex } from './index-corpus.ts'
import { addInfo } from './info.ts'
import type { Io } from './io.ts'
import { addLayers } from './layers.ts'
import { addPareto } from './pareto.ts'
import { addPull } from './pull.ts'
import { addQuantize } from './quantize.ts'
import { addRerank } from './rerank.ts'
import { addResults } from './results.ts'
import { addServe } from './serve.ts'
import { addTokenize } from './tokenize.ts'
import { addTune } from './tune.ts'
import { addWorker } from './worker.ts'

const help = `
Examples:
  dawnrank rerank "what is panda?" "hi" "The giant panda is a bear."
  dawnrank rerank --help          formats of input and output
  dawnrank embed "what is panda?"
  dawnrank layers --help          compare the layers of a layerwise model

Exit codes: 0 success; 1 an error of the data, the model or the device; 2 wrong
usage, such as an option that does not apply to the model; 130 interrupted.
DAWNRANK_DEBUG=1 prints the stack of an error.
`

/** The command line with all its commands. All output goes to the streams of `io`. */
export function makeProgram(io: Io): Command {
  const program = new Command('dawnrank')
    .description('Ranks passages by their relevance to a query, and embeds texts, on WebGPU.')
    .version(version)
    .exitOverride()
    .configureOutput({
      writeOut: (text) => io.stdout.write(text),
      writeErr: (text) => io.stderr.write(text),
      getOutHelpWidth: () => io.stdout.columns ?? 100,
      getErrHelpWidth: () => io.stderr.columns ?? 100,
    })
    .showHelpAfterError('(--help lists the options)')
    .addHelpText('after', help)
  addRerank(program, io)
  addEmbed(program, io)
  addIndex(program, io)
  addServe(program, io)
  addTokenize(program, io)
  addEval(program, io)
  addLayers(program, io)
  addPareto(program, io)
  addInfo(program, io)
  addPull(program, io)
  addCache(program, io)
  addQuantize(program, io)
  addEnqueue(program, io)
  addWorker(program, io)
  addResults(program, io)
  addBench(program, io)
  addTune(program, io)
  addDoctor(program, io)
  return program
}

/** Runs the command line and returns its exit code. */
export async function runCli(args: readonly string[], io: Io): Promise<number> {
  const program = makeProgram(io)
  // The callback of `write` reports a failed write; without a listener the error would end the process.
  const ignore = () => {}
  io.stdout.on('error', ignore)
  io.stderr.on('error', ignore)
  try {
    await program.parseAsync([...args], { from: 'user' })
    return 0
  } catch (error) {
    return exitCode(error, io)
  }
}

function exitCode(error: unknown, { stderr, signal, debug }: Io): number {
  const report = (text: string) => stderr.write(`dawnrank: ${text}\n`)
  if (signal.aborted) {
    report('stopped')
    return 130
  }
  if (error instanceof CommanderError) {
    // Commander has printed its message, or the help or version that was asked for.
    return error.exitCode === 0 ? 0 : 2
  }
  if (error instanceof CliError && error.code === 'output-closed') return 0
  if (debug && error instanceof Error) report(error.stack ?? error.message)
  else report(error instanceof Error ? error.message : String(error))
  const wrongUsage =
    (error instanceof CliError && error.code === 'usage') ||
    (error instanceof DawnrankError && error.code === 'option-invalid') ||
    (error instanceof HubError && error.code === 'name-invalid') ||
    (error instanceof TensorError && error.code === 'operation-unknown')
  return wrongUsage ? 2 : 1
}
