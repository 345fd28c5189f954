import { GpuError } from './errors.ts'

/** A storage buffer that a shader declares. */
export interface Binding {
  readonly name: string
  readonly written: boolean
}

/** A field of a shader's `Params`. */
export interface Param {
  readonly name: string
  readonly type: 'u32' | 'f32'
}

/** What a shader declares for the host to fill. */
export interface ShaderInterface {
  /** Fields of `struct Params`, in order. */
  readonly params: readonly Param[]
  /** Storage buffers by their number, from 1 on; the parameters are number 0. */
  readonly bindings: readonly Binding[]
}

/**
 * Reads parameters and bindings from WGSL. A declaration that is not understood is an error: a field or buffer that is
 * left out would shift the ones after it.
 */
export function readInterface(shader: string, code: string): ShaderInterface {
  const fail = (what: string, found: string): never => {
    throw new GpuError(
      'internal',
      `internal: shader ${shader}: ${what} is not understood: ${found}`,
    )
  }
  const bare = withoutComments(code)
  const structs = [...bare.matchAll(/\bstruct\s+Params\s*\{([^}]*)\}/g)]
  if (structs.length !== 1) fail('struct Params', `found ${structs.length} of them, expected one`)
  const fields = structs[0]![1]!.replace(/,\s*$/, '').split(',')
  const params = fields.map((field): Param => {
    const parts = /^\s*(\w+)\s*:\s*(u32|f32)\s*$/.exec(field)
    if (!parts) return fail('a field of Params', JSON.stringify(field.trim()))
    return { name: parts[1]!, type: parts[2] as Param['type'] }
  })
  const bindings: Binding[] = []
  for (const [text] of bare.matchAll(/[^;{}]*\bvar\s*<\s*storage\b[^;]*/g)) {
    const parts =
      /^\s*@group\(0\)\s*@binding\((\d+)\)\s*var\s*<\s*storage\s*,\s*(read|read_write)\s*>\s*(\w+)\s*:/.exec(
        text,
      )
    if (!parts) return fail('a buffer', JSON.stringify(text.trim()))
    const [, number, access, name] = parts
    const index = Number(number) - 1
    if (index < 0 || bindings[index]) fail('a buffer', `binding ${number} is taken already`)
    bindings[index] = { name: name!, written: access === 'read_write' }
  }
  const missing = Array.from(bindings).indexOf(undefined as unknown as Binding)
  if (missing >= 0) fail('the list of buffers', `there is no binding ${missing + 1}`)
  return { params, bindings }
}

/** WGSL with a space for each comment: `//` to the end of the line, and block comments, which nest. */
export function withoutComments(code: string): string {
  let bare = ''
  let at = 0
  for (;;) {
    const start = code.slice(at).search(/\/[/*]/)
    if (start < 0) return bare + code.slice(at)
    bare += `${code.slice(at, at + start)} `
    at = commentEnd(code, at + start)
  }
}

/** Where the comment that begins at `start` ends. */
function commentEnd(code: string, start: number): number {
  const marks = code[start + 1] === '/' ? /\n/g : /\/\*|\*\//g
  marks.lastIndex = start
  for (let depth = 0, mark = marks.exec(code); mark; mark = marks.exec(code)) {
    if (mark[0] === '\n') return mark.index
    depth += mark[0] === '/*' ? 1 : -1
    if (depth === 0) return marks.lastIndex
  }
  return code.length
}
