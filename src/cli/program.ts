import { Command, CommanderError } from 'commander'
import { version } from '../../package.json'
import { RerankerError } from '../rerankers/errors.ts'
import { TensorError } from '../tensor/errors.ts'
import { addDoctor } from './doctor.ts'
import { CliError } from './errors.ts'
import { addEval } from './eval.ts'
import type { Io } from './io.ts'
import { addLayers } from './layers.ts'
import { addQuantize } from './quantize.ts'
import { addRerank } from './rerank.ts'
import { addTokenize } from './tokenize.ts'
import { addTune } from './tune.ts'

const help = `
Examples:
  dawnrank rerank "what is panda?" "hi" "The giant panda is a bear."
  dawnrank rerank --help          the forms of input and output
  dawnrank layers --help          what each layer of a layerwise model is worth

Exit codes: 0 done, 1 a fault of the data, the model or the device, 2 wrong usage, among it an option that
the model does not take, 130 interrupted.
DAWNRANK_DEBUG=1 shows where an error comes from.
`

/** Runs the command line and gives its exit code; all output goes to the streams of `on`. */
export async function runCli(args: readonly string[], io: Io): Promise<number> {
  const program = new Command('dawnrank')
    .description('Ranks passages by their relevance to a query, on WebGPU.')
    .version(version)
    .exitOverride()
    .configureOutput({
      writeOut: (text) => io.stdout.write(text),
      writeErr: (text) => io.stderr.write(text),
      getOutHelpWidth: () => io.stdout.columns ?? 100,
      getErrHelpWidth: () => io.stderr.columns ?? 100,
    })
    .showHelpAfterError('(--help tells more)')
    .addHelpText('after', help)
  addRerank(program, io)
  addTokenize(program, io)
  addEval(program, io)
  addLayers(program, io)
  addQuantize(program, io)
  addTune(program, io)
  addDoctor(program, io)

  // A failed write is told by its own callback; without a listener it would end the process.
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
  const tell = (text: string) => stderr.write(`dawnrank: ${text}\n`)
  if (signal.aborted) {
    tell('stopped')
    return 130
  }
  if (error instanceof CommanderError) {
    // Commander has printed its message, or the help or version that was asked for.
    return error.exitCode === 0 ? 0 : 2
  }
  if (error instanceof CliError && error.code === 'output-closed') return 0
  if (debug && error instanceof Error) tell(error.stack ?? error.message)
  else tell(error instanceof Error ? error.message : String(error))
  const wrongUsage =
    (error instanceof CliError && error.code === 'usage') ||
    (error instanceof RerankerError && error.code === 'option-invalid') ||
    (error instanceof TensorError && error.code === 'operation-unknown')
  return wrongUsage ? 2 : 1
}
