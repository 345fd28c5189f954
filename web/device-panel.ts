/** Speed, and what the model runs on and with. */
import { block, button, describe, duration, element, megabytes, number, say } from './dom.ts'
import type { LoadAnswer, RankAnswer, SelfTestAnswer } from './messages.ts'

/** Milliseconds since the page was opened, or that something took. */
export interface Timings {
  files?: number
  load?: number
  /** From the opening of the page to its first score. */
  firstScore?: number
  ranked?: RankAnswer & { readonly passages: number }
}

export function showTimings({ files, load, firstScore, ranked }: Timings): void {
  const ms = (value: number | undefined) => (value === undefined ? '–' : duration(value))
  const perSecond = (count: number | undefined) => {
    if (!ranked || count === undefined) return '–'
    const rate = (1000 * count) / ranked.ms
    return number(rate, rate < 10 ? 1 : 0)
  }
  describe(block('timings'), [
    ['Model files', ms(files)],
    ['Model to the device', ms(load)],
    ['Page opened to first score', ms(firstScore)],
    ['Last ranking', ms(ranked?.ms)],
    ['Tokens per second', perSecond(ranked?.tokens)],
    ['Passages per second', perSecond(ranked?.passages)],
  ])
}

const yes = (is: boolean) => (is ? 'yes' : 'no')

export function showFacts({ info, layers }: LoadAnswer): void {
  const { adapter, memory, limits } = info
  const names = [adapter.vendor, adapter.architecture].filter(Boolean).join(', ')
  const [least, most] = [adapter.subgroupMinSize, adapter.subgroupMaxSize]
  const subgroups = adapter.subgroupSize || (most > 0 ? `${least} to ${most}` : 'none')
  block('facts-field').hidden = false
  describe(block('facts'), [
    ['Adapter', adapter.description || names || 'not told by this browser'],
    ...(adapter.description && names ? [['Vendor, architecture', names] as const] : []),
    ['Computes on', adapter.software ? 'the processor (a software adapter: slow)' : 'the GPU'],
    ['16-bit arithmetic', yes(adapter.shaderF16)],
    ['Subgroups', String(subgroups)],
    ['Matrix units', yes(adapter.subgroupMatrices.length > 0)],
    ['Largest binding', megabytes(adapter.maxBinding)],
    ['Model', info.commit ? `${info.model}, commit ${info.commit.slice(0, 12)}` : info.model],
    ['Architecture, recipe', `${info.architecture}, ${info.recipe}`],
    ['Layers with a score', layers.join(', ')],
    ['Weights', `${info.dtype}, ${megabytes(memory.weights)} on the device`],
    ['Activations', `${info.activations}, up to ${megabytes(memory.activations)}`],
    ['Tables on the host', megabytes(memory.hostTables)],
    ['Tokens', `up to ${number(limits.maxLength)} of a pair, ${number(limits.maxTokens)} at most`],
    ['Tokens of a batch', number(limits.maxBatchTokens)],
    ['Kernels', kernels(info.kernels)],
    ...info.warnings.map((warning) => ['Note', warning] as const),
  ])
}

const kernels = (names: object) =>
  Object.entries(names)
    .map(([operation, kernel]) => `${operation}: ${kernel}`)
    .join('; ')

/** Wires the button: what is wrong is said as an error. */
export function selfTestButton(run: () => Promise<SelfTestAnswer>): void {
  const go = button('self-test')
  go.onclick = async () => {
    go.disabled = true
    say(block('self-test-error'), '')
    say(block('self-test-note'), 'Testing …')
    try {
      const { stored, alone, together } = await run()
      if (alone !== together) {
        throw new Error(
          `self-test: a pair scores ${alone} alone and ${together} beside others; this adapter or its driver computes wrongly`,
        )
      }
      const first = stored
        ? `The score of the stored pair is ${stored.score.toFixed(4)}, PyTorch’s ${stored.expected.toFixed(4)}. `
        : 'This model’s folder has no stored score to compare with. '
      block('self-test-note').replaceChildren(
        element(
          'span',
          '',
          `Passed. ${first}A pair scores the same alone and in a batch, to the bit.`,
        ),
      )
    } catch (fault) {
      say(block('self-test-note'), '')
      say(block('self-test-error'), fault instanceof Error ? fault.message : String(fault))
    }
    go.disabled = false
  }
}
