import { DawnrankError } from '../error.ts'

/**
 * An error in the input of the command line. Codes:
 *
 * - `usage`: arguments that conflict with each other or with the model; the exit code is 2, otherwise 1;
 * - `input-missing`: a file that does not exist;
 * - `input-unreadable`: stdin cannot be read;
 * - `input-malformed`: a line of the input that is not in its format (the message names the line);
 * - `record-refused`: a record that the model rejects or cannot score (the message names line and passage);
 * - `records-failed`: some records were skipped with `--on-error skip`;
 * - `job-failed`: an offline job that failed for good;
 * - `output-unwritable`: a file that cannot be written;
 * - `cache-damaged`: `dawnrank cache verify` found corrupt files or broken links;
 * - `address-unavailable`: the server cannot listen at its host and port;
 * - `machine-unfit`: `dawnrank doctor` found a fault;
 * - `output-closed`: the reader closed the output pipe (`dawnrank … | head`); the command ends without a message.
 */
export class CliError extends DawnrankError {
  static override readonly name: string = 'CliError'
}
