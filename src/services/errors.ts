import { DawnrankError } from '../error.ts'

/**
 * An error with a service that ranks or embeds. Codes:
 *
 * - `service-unknown`: a URL whose last part tells neither `rerank` nor `embeddings`;
 * - `key-missing`: the environment has no key for the service;
 * - `key-refused`: the service refused the key (401, 403);
 * - `request-refused`: the service refused the request for good, or too often;
 * - `service-unreachable`: no answer, after the retries;
 * - `answer-invalid`: an answer without a number for each text.
 */
export class ServiceError extends DawnrankError {
  static override readonly name: string = 'ServiceError'
}
