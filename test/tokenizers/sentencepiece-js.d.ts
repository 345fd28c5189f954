/** The part of npm sentencepiece-js that the tests use; the package brings no types. */
declare module 'sentencepiece-js' {
  export class SentencePieceProcessor {
    /** Reads a `.model` file by its path. */
    load(path: string): Promise<void>
    encodeIds(text: string): number[]
  }
}
