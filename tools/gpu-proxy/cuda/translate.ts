/**
 * WGSL as CUDA C++, for the compiler of NVIDIA: the subset that kernels in f32 use. Text is rewritten form by form, on top of
 * wgsl.cuh; what is not known here does not compile there.
 */
import { withoutComments } from '../../../src/gpu/shader-interface.ts'

/** A declaration at the top level: what it is, its name, and all of its text. */
interface Declaration {
  readonly kind: string
  readonly name: string
  readonly text: string
}

/** Declarations in the order of the text. */
function declarations(code: string): Declaration[] {
  const found: Declaration[] = []
  let start = 0
  let depth = 0
  for (let at = 0; at < code.length; at++) {
    const letter = code[at] as string
    if (letter === '{') depth++
    if (letter === '}') depth--
    if (depth > 0 || (letter !== ';' && letter !== '}')) continue
    const text = code.slice(start, at + 1).trim()
    start = at + 1
    const [, kind, name] = /\b(alias|const|struct|fn|var)\b(?:\s*<[^>]*>)?\s*(\w+)/.exec(text) ?? []
    if (kind && name) found.push({ kind, name, text })
    else if (!/^(enable|diagnostic)\b|^;?$/.test(text)) throw new Error(`not understood: ${text}`)
  }
  return found
}

/** Each after those that it names. */
function sorted(all: readonly Declaration[]): Declaration[] {
  const out = new Set<Declaration>()
  const visit = (declaration: Declaration) => {
    if (out.has(declaration)) return
    const words = new Set(declaration.text.match(/\w+/g))
    for (const other of all) if (other !== declaration && words.has(other.name)) visit(other)
    out.add(declaration)
  }
  for (const declaration of all) visit(declaration)
  return [...out]
}

/** `a: u32, b: f32` as pairs of a type and a name. */
const fields = (text: string): (readonly [type: string, name: string])[] =>
  [...text.matchAll(/(?:@\w+\([^)]*\)\s*)?(\w+)\s*:\s*(\w+(?:<[^>]*>)?)/g)].map(
    ([, name, type]) => [type as string, name as string] as const,
  )

const list = (pairs: ReturnType<typeof fields>): string =>
  pairs.map(([type, name]) => `${type} ${name}`).join(', ')

/** Statements and expressions. */
function body(text: string): string {
  if (/\.[xyzw]{2,}\b/.test(text)) throw new Error('swizzles are not translated')
  return text
    .replace(/(?<![\w.])(\d+\.\d*(?:e[+-]?\d+)?)(?![\w.])/g, '$1f')
    .replace(/,(\s*\))/g, '$1')
    .replace(/\bconst (\w+)\s*=/g, 'constexpr auto $1 =')
    .replace(/\blet (\w+)\s*=/g, 'const auto $1 =')
    .replace(/\bvar (\w+)\s*:\s*([^=;]+?)\s*=/g, '$2 $1 =')
    .replace(/\bvar (\w+)\s*:\s*([^;]+);/g, '$2 $1{};')
    .replace(/\bvar (\w+)\s*=/g, 'auto $1 =')
    .replace(/\bswitch (\w+(?:\.\w+)?) \{/g, 'switch ($1) {')
    .replace(/\}(\s*(?:case\b|default\s*:))/g, '} break;$1')
}

/** What the builtins of a shader are, from its x and y invocations. */
const builtins: Readonly<Record<string, string>> = {
  workgroup_id: 'vec3u(blockIdx.x, blockIdx.y, blockIdx.z)',
  local_invocation_id: 'vec3u(threadIdx.x, threadIdx.y, threadIdx.z)',
  local_invocation_index: 'threadIdx.x + blockDim.x * threadIdx.y',
}

function typed({ kind, name, text }: Declaration): string {
  const inside = text.slice(text.indexOf('{') + 1, -1)
  if (kind === 'alias') return text.replace(/^alias/, 'using')
  if (kind === 'const') return `${body(text)}`
  const own = fields(inside)
  const taken = own.map(([type, field]) => `${type} ${field}_`).join(', ')
  const set = own.map(([, field]) => `${field}(${field}_)`).join(', ')
  const members = own.map(([type, field]) => `${type} ${field};`).join(' ')
  return `struct ${name} { ${members} ${name}() = default; WGSL ${name}(${taken}) : ${set} {} };`
}

function variable({ name, text }: Declaration): string {
  const type = /:\s*([^;]+);$/.exec(text)?.[1] ?? ''
  if (/var\s*<\s*workgroup/.test(text)) return `__shared__ ${type} ${name};`
  if (/var\s*<\s*uniform/.test(text)) return `__constant__ ${type} ${name};`
  const kept = /read_write/.test(text) ? 'Written' : 'Read'
  return `__constant__ ${type.replace(/^array/, kept)} ${name};`
}

/** A function: its head, without what follows it, and its body. */
function called({ name, text }: Declaration): { head: string; block: string } {
  const [, parameters = '', result = 'void'] =
    /\bfn \w+\(((?:[^()]|\([^()]*\))*)\)(?:\s*->\s*([^{]+?))?\s*\{/.exec(text) ?? []
  const block = body(text.slice(text.indexOf('{')))
  if (!/@compute/.test(text))
    return { head: `WGSL ${result} ${name}(${list(fields(parameters))})`, block }
  const size = /@workgroup_size\(([^)]*)\)/.exec(text)?.[1]?.split(',') ?? []
  const given = [...parameters.matchAll(/@builtin\((\w+)\)\s*(\w+)/g)].map(
    ([, builtin, parameter]) => `const auto ${parameter} = ${builtins[builtin as string]};`,
  )
  return {
    head: `extern "C" __global__ void __launch_bounds__(${size.join(' * ')}) kernel()`,
    block: `{ ${given.join(' ')}\n${block.slice(1)}`,
  }
}

/** A shader, as one file that includes wgsl.cuh. */
export function translate(wgsl: string): string {
  const all = declarations(withoutComments(wgsl))
  const of = (...kinds: string[]) => all.filter(({ kind }) => kinds.includes(kind))
  const functions = of('fn').map(called)
  return [
    '#include "wgsl.cuh"',
    'namespace wgsl {',
    ...sorted(of('alias', 'const', 'struct')).map(typed),
    ...of('var').map(variable),
    ...functions.map(({ head }) => `${head};`),
    ...functions.map(({ head, block }) => `${head} ${block}`),
    '}',
  ].join('\n')
}
