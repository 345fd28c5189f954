import { DawnrankError } from '../error.ts'

/**
 * An error with a service that ranks or embeds. Codes:
 *
 * - `service-unknown`: a URL whose last part tells neither `rerank` nor `embeddings`;
 * - `url-invalid`: no http(s) URL, or one with a user name, a password or a model's name that cannot be decoded;
 * - `key-missing`: the environment has no key for the service;
 * - `key-invalid`: a key in the environment that cannot be sent;
 * - `key-refused`: the service refused the key (401, 403);
 * - `request-refused`: the service refused the request for good, or too often, or redirects it;
 * - `service-unreachable`: no answer, after the retries;
 * - `answer-invalid`: an answer that is not JSON, or without a number for each text;
 * - `cache-unwritable`: answers cannot be kept in the folder for them.
 */
export class ServiceError extends DawnrankError {
  static override readonly name: string = 'ServiceError'
}
