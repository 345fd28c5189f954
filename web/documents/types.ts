/** A text of a document and where in it. */
export interface Section {
  readonly text: string
  /** Such as `page 3`, `row 12`, or the id of a record. */
  readonly place?: string
  /** A record: a passage as it is, whatever its length. */
  readonly whole?: boolean
}

/** What was read of a file, or pasted. */
export interface TextDocument {
  readonly name: string
  readonly sections: readonly Section[]
  /** What was left out, and why. */
  readonly notes: readonly string[]
}
