import { z } from '@hono/zod-openapi'
import type { LayerwiseRankOptions, RecipeName } from '../rerankers/index.ts'
import { type Recipe, recipes } from '../rerankers/recipes.ts'
import { ServerError } from './errors.ts'
import type { ServedModel } from './models.ts'
import { invalid } from './parse.ts'

// Parts of the schemas of requests. The `error` of each is what messages say is expected.

export const whole = (least: number) => {
  const error = `a whole number from ${least} up`
  return z.int({ error }).min(least, { error })
}

export const text = z.string({ error: 'a string' })
export const flag = z.boolean({ error: 'true or false' })
export const texts = z.array(text, { error: 'a list of strings' })
export const oneOrMore = z.union([text, texts], { error: 'a string, or a list of strings' })
export const listOf = (given: string | readonly string[]): readonly string[] =>
  typeof given === 'string' ? [given] : given
/** What messages say of a body that is none of an object. */
export const anObject = { error: 'a JSON object' }

const layer = whole(1)

/** How a request is scored: options of our own, in every dialect. */
export const ownFields = {
  normalize: flag.nullish().openapi({
    description: 'Scores are the sigmoid of the logit (true, the default) or the logit (false)',
  }),
  max_length: whole(1)
    .nullish()
    .openapi({ description: 'Tokens that query and document are shortened to' }),
  window: z
    .union([flag, z.strictObject({ overlap: whole(0).optional() })], {
      error: 'true or false, or { overlap } with a whole number from 0 up',
    })
    .nullish()
    .openapi({
      description:
        'Encoders score a long document in windows that overlap by so many tokens, and the best score counts',
    }),
  cutoff_layers: z
    .union([layer, z.array(layer).min(1)], { error: 'a layer, or a list of layers' })
    .nullish()
    .openapi({
      description:
        'The layer of a layerwise model whose score ranks; of a list the highest, and results have layer_scores',
    }),
  cascade: z
    .array(
      z.object(
        {
          layer,
          keep: whole(1).nullish(),
          margin: z
            .number({ error: 'a number from 0 up' })
            .min(0, { error: 'a number from 0 up' })
            .nullish(),
        },
        { error: 'an object { layer, keep, margin }' },
      ),
      { error: 'a list of { layer, keep, margin }' },
    )
    .min(1, { error: 'a list of { layer, keep, margin }' })
    .nullish()
    .openapi({
      description:
        'Stages of a layerwise model: the best keep documents at a layer go on to the next, and those that are at most margin below the last of them; the last stage has neither',
    }),
}

/** What vLLM's dialect can ask for besides. */
export const vllmFields = {
  use_activation: flag
    .nullish()
    .openapi({ description: 'false gives logits in place of their sigmoid' }),
  truncate_prompt_tokens: whole(-1).nullish().openapi({
    description:
      'Tokens that query and document are shortened to; -1: the most that the model takes',
  }),
  truncation_side: z
    .enum(['left', 'right'], { error: '"left" or "right"' })
    .nullish()
    .openapi({ description: 'The end at which texts lose tokens' }),
  max_tokens_per_query: whole(0)
    .nullish()
    .openapi({ description: 'Tokens that the query is shortened to; 0: no limit of its own' }),
  max_tokens_per_doc: whole(0)
    .nullish()
    .openapi({ description: 'Tokens that each document is shortened to; 0: no limit of its own' }),
  instruction: text.nullish().openapi({
    description:
      'The task of models whose template has one, else the question to models with a prompt; others ignore it',
  }),
  priority: z.int({ error: 'a whole number' }).nullish().openapi({ description: 'No effect' }),
  request_id: text.nullish().openapi({ description: 'The id of the answer' }),
  user: text.nullish().openapi({ description: 'No effect' }),
}

/** The fields that say how a request is scored. */
export type ScoringFields = Partial<z.infer<z.ZodObject<typeof ownFields & typeof vllmFields>>> & {
  readonly raw_scores?: boolean | null | undefined
  readonly truncate?: boolean | null | undefined
}

/**
 * The options of a call to a model.
 *
 * @throws ServerError `request-invalid` for fields that contradict each other, or that the model cannot serve
 */
export function callOptions(
  fields: ScoringFields,
  { info, layers }: ServedModel,
): LayerwiseRankOptions<string> {
  const { cutoff_layers, cascade, truncation_side, truncate, instruction } = fields
  checkCutoff(cutoff_layers ?? undefined, layers)
  const maxLength = maxLengthOf(fields, info.limits.maxTokens)
  const queryTokens = fields.max_tokens_per_query || undefined
  return {
    normalize: isNormalized(fields),
    maxLength,
    queryMaxLength: queryTokens && Math.min(queryTokens, queryLimit(maxLength, info)),
    passageMaxLength: fields.max_tokens_per_doc || undefined,
    truncationSide: truncation_side ?? undefined,
    truncate: truncate ?? undefined,
    window: fields.window ?? undefined,
    ...instructionFor(info.recipe, instruction || undefined),
    cutoffLayers: cutoff_layers ?? undefined,
    cascade: cascade?.map(({ layer, keep, margin }) => ({
      layer,
      keep: keep ?? undefined,
      margin: margin ?? undefined,
    })),
  }
}

/** An instruction under the name that the option has for a recipe, if it has one. */
function instructionFor(name: string, given: string | undefined): LayerwiseRankOptions<string> {
  const recipe: Recipe | undefined = recipes[name as RecipeName]
  const takesInstruction = recipe?.instruction !== undefined
  const takesPrompt = !takesInstruction && recipe?.prompt !== undefined
  return {
    instruction: takesInstruction ? given : undefined,
    prompt: takesPrompt ? given : undefined,
  }
}

/** The tokens of the query that a recipe keeps where nothing is said: three quarters of all. */
const queryLimit = (maxLength: number | undefined, { limits }: ServedModel['info']) =>
  Math.max(1, Math.floor(((maxLength ?? limits.maxLength) * 3) / 4))

function isNormalized({ normalize, raw_scores, use_activation }: ScoringFields): boolean {
  const isRaw = raw_scores === true || use_activation === false
  if (normalize && isRaw) {
    throw new ServerError(
      'request-invalid',
      'normalize: found true, and raw scores are asked for too; leave one out',
      { param: 'normalize' },
    )
  }
  return normalize ?? !isRaw
}

function maxLengthOf(
  { max_length, truncate_prompt_tokens }: ScoringFields,
  most: number,
): number | undefined {
  const prompt = truncate_prompt_tokens === -1 ? most : (truncate_prompt_tokens ?? undefined)
  const own = max_length ?? undefined
  if (own !== undefined && prompt !== undefined && own !== prompt) {
    throw new ServerError(
      'request-invalid',
      'max_length and truncate_prompt_tokens: found both, and they differ; leave one out',
      { param: 'max_length' },
    )
  }
  const length = own ?? prompt
  const name = own === undefined ? 'truncate_prompt_tokens' : 'max_length'
  if (length === 0) throw invalid(name, length, 'a whole number from 1 up, or -1')
  if (length !== undefined && length > most) {
    throw invalid(name, length, `at most ${most}, the tokens that the model takes`)
  }
  return length
}

function checkCutoff(cutoff: number | readonly number[] | undefined, known: readonly number[]) {
  const asked = typeof cutoff === 'number' ? [cutoff] : (cutoff ?? [])
  const wrong = asked.find((one) => !known.includes(one))
  if (wrong === undefined) return
  const range = known.length === 1 ? `${known[0]}` : `${known[0]} to ${known.at(-1)}`
  throw invalid('cutoff_layers', wrong, `a layer that has a score: ${range}`)
}
