/** The part of npm safetensors that is used as a second reader; the package has no types. */
declare module 'safetensors' {
  export class SafeTensor {
    /** @param file the whole of a safetensors file, from the start of its buffer */
    constructor(file: Uint8Array<ArrayBuffer>)
    readonly metadata: Map<string, { dtype: string; shape: number[]; data_offsets: number[] }>
    getTensor(name: string): Uint8Array
  }
}
