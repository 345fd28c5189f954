import { DawnrankError } from '../error.ts'

/**
 * A fault of what the command line was given. Codes:
 *
 * - `usage`: arguments that do not go together, or not with the model; the exit code is 2, of all others 1;
 * - `input-missing`: a file that is not there;
 * - `input-unreadable`: stdin cannot be read;
 * - `input-malformed`: a line of the input that is not in its format (the message names the line);
 * - `record-refused`: a record that the model refuses, or has no score for (the message names line and passage);
 * - `records-failed`: some records were not answered, and were skipped as was asked;
 * - `output-unwritable`: a file that cannot be written;
 * - `machine-unfit`: `dawnrank doctor` found a fault;
 * - `output-closed`: the reader of the output has gone (`dawnrank … | head`); it ends the command quietly.
 */
export class CliError extends DawnrankError {}
