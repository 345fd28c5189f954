import { homedir } from 'node:os'
import { join } from 'node:path'
import { type Command, InvalidArgumentError } from 'commander'
import { type FirstStage, firstStagePairs } from '../eval/index.ts'
import {
  Answers,
  type Cost,
  costOf,
  type Price,
  type Scored,
  type Service,
  scorerOver,
  senderTo,
  serviceOf,
  usualRetries,
} from '../services/index.ts'
import { CliError } from './errors.ts'
import type { Ranker, RankerOptions, RankerSpec, ServiceOptions } from './eval-ranker.ts'
import { type Io, write } from './io.ts'
import { wholeNumber } from './model.ts'
import { type Progress, progressOn } from './progress.ts'

/** Adds the options of models that are services. */
export const withServiceOptions = (command: Command): Command =>
  command
    .option('--rate <n>', 'services: requests a minute (default: the usual limit)', wholeNumber)
    .option(
      '--price <dollars>',
      'services: price of 1,000 searches, or of 1,000,000 tokens of an embedder',
      dollars,
    )
    .option('--max-cost <dollars>', 'services: refuse work that may cost more than this', dollars)

function dollars(text: string): number {
  const amount = Number(text)
  if (!/^\d+(\.\d+)?$/.test(text) || !Number.isFinite(amount)) {
    throw new InvalidArgumentError('Expected an amount such as 2 or 0.5.')
  }
  return amount
}

/** A reranker or an embedder behind an API. */
export async function withService<T>(
  { model, layers }: RankerSpec,
  options: RankerOptions,
  io: Io,
  use: (ranker: Ranker, progress: Progress) => Promise<T>,
): Promise<T> {
  const name = model!
  const found = serviceOf(name, process.env)
  if (Object.keys(layers).length > 0 || options.cutoffLayer || options.cascade) {
    throw new CliError('usage', `${name} is a service: it has no layers to choose`)
  }
  const service = { ...found, ...changes(options, found) }
  const folder = join(
    process.env.XDG_CACHE_HOME || join(homedir(), '.cache'),
    'dawnrank',
    'services',
  )
  const answers = new Answers(folder)
  await answers.prepare()
  const score = scorerOver(service, senderTo(service, usualRetries, io.signal), answers)
  const progress = progressOn(io, options.progress)
  const ranker: Ranker = {
    name,
    tag: name.replace(/\s/g, '_'),
    details: { model: name },
    settings: async () => ({
      model: name,
      url: service.url,
      ...(options.keepIdenticalIds && { keepIdenticalIds: true }),
    }),
    announce: (stages) => announce(service, name, folder, stages, options, io),
    score,
  }
  try {
    return await use(ranker, progress)
  } finally {
    progress.stop()
  }
}

/** What the options change in a service. */
function changes({ rate, price }: ServiceOptions, { dialect }: Service): Partial<Service> {
  return {
    ...(rate !== undefined && { requestsPerMinute: rate }),
    ...(price !== undefined && { price: priceOf(price, dialect) }),
  }
}

const priceOf = (price: number, { kind }: Service['dialect']): Price =>
  kind === 'embeddings' ? { millionTokens: price } : { thousandSearches: price }

/** Prints what the work costs at most, and refuses it where that is too much. */
async function announce(
  service: Service,
  name: string,
  folder: string,
  stages: AsyncIterable<FirstStage>,
  { maxCost }: ServiceOptions,
  io: Io,
): Promise<void> {
  const work: Scored[] = []
  for await (const stage of stages) work.push(...scoredOf(stage))
  const cost = costOf(service, work)
  await write(io.stderr, `${name}: ${costText(cost)}; answers are kept in ${folder}\n`)
  if (maxCost === undefined) return
  if (cost.dollars === undefined) {
    throw new CliError('usage', `--max-cost: the price of ${name} is not known; give it by --price`)
  }
  if (cost.dollars > maxCost) {
    throw new CliError(
      'usage',
      `${name}: may cost ${inDollars(cost.dollars)}, more than --max-cost ${maxCost}`,
    )
  }
}

function scoredOf(stage: FirstStage): Scored[] {
  const { pairs, groups } = firstStagePairs(stage)
  return groups
    .filter((group) => group.length > 0)
    .map((group) => [pairs[group[0]!]![0], group.map((i) => pairs[i]![1])])
}

const counted = (count: number) => count.toLocaleString('en')

const costText = ({ requests, tokens, dollars: amount }: Cost) =>
  `at most ${counted(requests)} requests with about ${counted(tokens)} tokens, ` +
  (amount === undefined ? 'at an unknown price (--price)' : `about ${inDollars(amount)}`)

/** To the cent; below a cent, with two significant digits. */
const inDollars = (amount: number) =>
  amount === 0 || amount >= 0.01
    ? `$${amount.toFixed(2)}`
    : `$${amount.toLocaleString('en', { maximumSignificantDigits: 2 })}`
