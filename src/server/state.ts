import { z } from '@hono/zod-openapi'
import { version } from '../../package.json'
import { ServerError } from './errors.ts'
import type { Models, ServedModel } from './models.ts'
import type { Service } from './perform.ts'

// Routes that tell how the server is.

/** Whether the server can take requests. */
export interface Health {
  readonly models: Models
  stopping: boolean
}

export const healthAnswer = z.object({ status: z.literal('ok') }).openapi('Health')

/** @throws ServerError `unhealthy` while the first model is loaded, a lost device is opened again, or the server stops */
export function checkHealth({ models, stopping }: Health): z.infer<typeof healthAnswer> {
  if (stopping) throw unhealthy('the server stops')
  const { lost, first } = models
  if (lost.length > 0)
    throw unhealthy(`the device of ${lost.join(', ')} was lost and is opened again`)
  if (!first.info) throw unhealthy(`${first.name} is loading`)
  return { status: 'ok' }
}

export const unhealthy = (message: string) =>
  new ServerError('unhealthy', message, { retryAfter: 1 })

export const modelsAnswer = z
  .object({
    object: z.literal('list'),
    data: z.array(
      z.object({
        id: z.string(),
        object: z.literal('model'),
        created: z.int(),
        owned_by: z.string(),
        layers: z.array(z.int()).optional().openapi({
          description:
            'The layers that have a score, where there are several; once the model was loaded',
        }),
      }),
    ),
  })
  .openapi('Models')

export const listModels = (models: Models, created: number): z.infer<typeof modelsAnswer> => ({
  object: 'list',
  data: models.all.map(({ name, layers }) => ({
    id: name,
    object: 'model',
    created,
    owned_by: 'dawnrank',
    ...(layers.length > 1 && { layers: [...layers] }),
  })),
})

export const infoAnswer = z
  .object({
    model_id: z.string(),
    model_sha: z.string().nullable(),
    model_dtype: z.string(),
    served_model_name: z.string(),
    model_type: z.union([
      z.object({
        reranker: z.object({
          id2label: z.record(z.string(), z.string()),
          label2id: z.record(z.string(), z.int()),
        }),
      }),
      z.object({ embedding: z.object({ pooling: z.string() }) }),
    ]),
    max_concurrent_requests: z.int(),
    max_input_length: z.int(),
    max_batch_tokens: z.int(),
    max_batch_requests: z.int().nullable(),
    max_client_batch_size: z.int(),
    auto_truncate: z.boolean(),
    tokenization_workers: z.int(),
    payload_limit: z.int(),
    version: z.string(),
    sha: z.string().nullable(),
    docker_label: z.string().nullable(),
  })
  .openapi('Info')

const dtypes: Readonly<Record<string, string>> = {
  f32: 'float32',
  f16: 'float16',
  bf16: 'bfloat16',
}

const poolings: Readonly<Record<string, string>> = { lasttoken: 'last_token' }

/** What a model is, as text-embeddings-inference has it. */
const modelType = ({ embedding }: ServedModel['info']) =>
  embedding
    ? { embedding: { pooling: poolings[embedding.pooling] ?? embedding.pooling } }
    : { reranker: { id2label: { '0': 'LABEL_0' }, label2id: { LABEL_0: 0 } } }

/** @throws ServerError `unhealthy` until the first model is loaded */
export function info({
  models,
  admission,
  limits,
  autoTruncate,
}: Service): z.infer<typeof infoAnswer> {
  const { name, info: found } = models.first
  if (!found) throw unhealthy(`${name} is loading`)
  return {
    model_id: name,
    model_sha: null,
    model_dtype: dtypes[found.dtype] ?? found.dtype,
    served_model_name: name,
    model_type: modelType(found),
    max_concurrent_requests: admission.limits.maxConcurrentRequests,
    max_input_length: found.limits.maxLength,
    max_batch_tokens: found.limits.maxBatchTokens,
    max_batch_requests: null,
    max_client_batch_size: limits.maxClientBatchSize,
    auto_truncate: autoTruncate,
    tokenization_workers: 1,
    payload_limit: limits.payloadLimit,
    version,
    sha: null,
    docker_label: null,
  }
}
