import {
  cohereRerank,
  type EmbeddingsDialect,
  jinaRerank,
  openAiEmbeddings,
  type RerankDialect,
  voyageRerank,
} from './dialects.ts'
import { ServiceError } from './errors.ts'

/**
 * The list price in dollars. A search is a query with up to 100 passages of up to 500 tokens each, the query's included
 * (Cohere's search unit).
 */
export type Price = { readonly thousandSearches: number } | { readonly millionTokens: number }

/** What scores passages at a URL. */
export interface Service {
  readonly url: string
  readonly model: string | undefined
  readonly dialect: RerankDialect | EmbeddingsDialect
  /** Sent as bearer token. */
  readonly key: string | undefined
  readonly requestsPerMinute: number
  readonly price: Price | undefined
}

type Environment = Readonly<Record<string, string | undefined>>

interface Provider {
  readonly url: string
  /** Environment variable with another base URL, as the provider's own clients read it. */
  readonly baseVariable: string
  readonly path: string
  readonly keyVariables: readonly string[]
  readonly dialect: RerankDialect | EmbeddingsDialect
  /** Of an ordinary paid account; `--rate` for others. */
  readonly requestsPerMinute: number
  /** List prices by model, as published in 2025; `--price` for others. */
  readonly prices: Readonly<Record<string, Price>>
}

const providers: Readonly<Record<string, Provider>> = {
  cohere: {
    url: 'https://api.cohere.com',
    baseVariable: 'CO_API_URL',
    path: 'v2/rerank',
    keyVariables: ['CO_API_KEY', 'COHERE_API_KEY'],
    dialect: cohereRerank,
    requestsPerMinute: 1000,
    prices: { 'rerank-v3.5': { thousandSearches: 2 } },
  },
  jina: {
    url: 'https://api.jina.ai/v1',
    baseVariable: 'JINA_BASE_URL',
    path: 'rerank',
    keyVariables: ['JINA_API_KEY'],
    dialect: jinaRerank,
    requestsPerMinute: 500,
    prices: {},
  },
  voyage: {
    url: 'https://api.voyageai.com/v1',
    baseVariable: 'VOYAGE_BASE_URL',
    path: 'rerank',
    keyVariables: ['VOYAGE_API_KEY'],
    dialect: voyageRerank,
    requestsPerMinute: 2000,
    prices: {
      'rerank-2.5': { millionTokens: 0.05 },
      'rerank-2.5-lite': { millionTokens: 0.02 },
    },
  },
  openai: {
    url: 'https://api.openai.com/v1',
    baseVariable: 'OPENAI_BASE_URL',
    path: 'embeddings',
    keyVariables: ['OPENAI_API_KEY'],
    dialect: openAiEmbeddings,
    requestsPerMinute: 3000,
    prices: {
      'text-embedding-3-small': { millionTokens: 0.02 },
      'text-embedding-3-large': { millionTokens: 0.13 },
    },
  },
}

/** The key for a URL that no provider above has. */
const urlKeyVariables = ['DAWNRANK_API_KEY']

/** Dialects of URLs by the last part of their path. */
const dialectsByPath: Readonly<Record<string, RerankDialect | EmbeddingsDialect>> = {
  rerank: cohereRerank,
  embeddings: openAiEmbeddings,
}

const providerPattern = new RegExp(`^(${Object.keys(providers).join('|')}):(.+)$`)
const urlPattern = /^https?:\/\//

/** Whether a model's name is a service's: `cohere:rerank-v3.5`, `http://host/v2/rerank#model`. */
export const isService = (name: string): boolean =>
  providerPattern.test(name) || urlPattern.test(name)

/**
 * The service of a name: `PROVIDER:MODEL`, or a URL that ends in `rerank` (Cohere's dialect) or `embeddings` (OpenAI's)
 * with the model's name after `#`.
 *
 * @param environment where keys and base URLs are looked up, as `process.env`
 * @throws ServiceError `service-unknown`, `url-invalid`, `key-missing`, `key-invalid`
 */
export function serviceOf(name: string, environment: Environment): Service {
  const [, provider, model] = providerPattern.exec(name) ?? []
  if (provider === undefined) return serviceAt(name, environment)
  const { url, baseVariable, path, keyVariables, dialect, requestsPerMinute, prices } =
    providers[provider]!
  const key = keyIn(environment, keyVariables)
  if (key === undefined) {
    throw new ServiceError(
      'key-missing',
      `${name}: needs a key of ${provider} in the environment variable ${keyVariables.join(' or ')}`,
    )
  }
  const base = environment[baseVariable] || url
  checkUrl(base, `${baseVariable}=${withoutPassword(base)}`, keyVariables)
  return {
    url: `${base.replace(/\/+$/, '')}/${path}`,
    model: model!,
    dialect,
    key,
    requestsPerMinute,
    price: prices[model!],
  }
}

function serviceAt(name: string, environment: Environment): Service {
  checkUrl(name, withoutPassword(name), urlKeyVariables)
  const url = new URL(name)
  const dialect = dialectsByPath[url.pathname.split('/').at(-1)!]
  if (!dialect) {
    throw new ServiceError(
      'service-unknown',
      `${name}: expected a URL that ends in /rerank (Cohere's dialect) or /embeddings (OpenAI's), such as ` +
        'http://localhost:8787/v2/rerank#MODEL',
    )
  }
  const model = decoded(url.hash.slice(1), name) || undefined
  const key = keyIn(environment, urlKeyVariables)
  url.hash = ''
  return { url: url.href, model, dialect, key, requestsPerMinute: Infinity, price: undefined }
}

/** The key in the first of the variables that is set. */
function keyIn(environment: Environment, variables: readonly string[]): string | undefined {
  const variable = variables.find((one) => environment[one])
  if (variable === undefined) return undefined
  const key = environment[variable]!.trim()
  // `fetch` would refuse it with a message that shows it.
  if (!/^[\x20-\x7e]+$/.test(key)) {
    throw new ServiceError(
      'key-invalid',
      `${variable}: the key cannot be sent; expected only letters, digits and signs of ASCII on one line. Copy it again`,
    )
  }
  return key
}

/**
 * Refuses what `fetch` would refuse at the request.
 *
 * @param shown what messages say of it
 * @param keyVariables where its key belongs
 */
function checkUrl(text: string, shown: string, keyVariables: readonly string[]): void {
  if (!urlPattern.test(text) || !URL.canParse(text)) {
    throw new ServiceError(
      'url-invalid',
      `${shown}: expected a URL with http:// or https:// and a host, such as http://localhost:8787`,
    )
  }
  const { username, password } = new URL(text)
  if (username || password) {
    throw new ServiceError(
      'url-invalid',
      `${shown}: expected a URL without user name and password; a key goes into the environment variable ` +
        keyVariables.join(' or '),
    )
  }
}

/** A URL that may not even be one, for messages. */
const withoutPassword = (url: string) => url.replace(/^(https?:\/\/)?.*@/s, '$1…@')

function decoded(text: string, name: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    throw new ServiceError(
      'url-invalid',
      `${name}: the model's name after # cannot be decoded; expected a % in it as %25`,
    )
  }
}
