/** What every error thrown by dawnrank has: a message for the reader and a `code` for the program. */
export class DawnrankError extends Error {
  /** What `name` of its errors is: written down in each class, so that minifiers leave it. */
  static override readonly name: string = 'DawnrankError'
  /** A stable, machine-readable name of the fault, such as `tensor-missing`. */
  readonly code: string

  constructor(code: string, message: string, options?: ErrorOptions) {
    super(message, options)
    this.name = new.target.name
    this.code = code
  }
}
