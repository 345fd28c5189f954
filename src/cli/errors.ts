import { DawnrankError } from '../error.ts'

/**
 * A fault of what the command line was given. Codes:
 *
 * - `usage`: arguments that do not go together, or not with the model; the exit code is 2, of all others 1;
 * - `input-missing`: a file that is not there;
 * - `input-malformed`: a line of the input that is not in its format (the message names the line);
 * - `output-unwritable`: a file that cannot be written;
 * - `machine-unfit`: `dawnrank doctor` found a fault;
 * - `output-closed`: the reader of the output has gone (`dawnrank … | head`); it ends the command quietly.
 */
export class CliError extends DawnrankError {}
