import { DawnrankError } from '../error.ts'

/**
 * An error in evaluation data or in an evaluation run. Codes:
 *
 * - `data-missing`: a required file does not exist;
 * - `data-malformed`: a line, or a whole file, is not in its format (the message names file and line);
 * - `id-duplicate`: a document appears twice for a query of a run;
 * - `id-invalid`: an id that TREC's format cannot represent;
 * - `id-unknown`: an id that the data does not contain;
 * - `measure-unknown`: a measure's name that does not exist;
 * - `option-invalid`: an option outside its range;
 * - `score-invalid`: a scorer gave the wrong number of scores, or one that is not finite;
 * - `output-mismatch`: the output run was begun with another model, other settings or other data.
 */
export class EvaluationError extends DawnrankError {
  static override readonly name: string = 'EvaluationError'
}
