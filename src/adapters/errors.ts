import { DawnrankError } from '../index.ts'

/**
 * An error of an adapter itself; the model behind it throws its own. Codes:
 *
 * - `option-invalid`: an option that there is not, or a value of another kind;
 * - `input-invalid`: what the host gave is not what its interface says;
 * - `model-kind`: an embedder where a reranker is needed, or the other way round, or a kind that dawnrank does not have;
 * - `score-not-finite`: an activation of the caller gave no finite number;
 * - `disposed`: a call after `dispose`.
 */
export class AdapterError extends DawnrankError {
  static override readonly name: string = 'AdapterError'
}
