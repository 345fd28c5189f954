import { expect, it } from 'vitest'
import { type ShaderName, shaderNames, shaderText } from '../../shaders/index.ts'
import type { AdapterFacts } from '../../src/gpu/device.ts'
import { kernelFiles, shaderCode } from '../../src/gpu/kernel.ts'
import { readInterface, withoutComments } from '../../src/gpu/shader-interface.ts'
import { projectKernels } from '../../tools/gpu-proxy/project-kernels.ts'

// What is put in front of each kernel is what its files name: every operation is planned, for several adapters, without a
// device.

const facts = (subgroupSize: number, software: boolean) =>
  ({
    subgroupSize,
    subgroupMinSize: subgroupSize,
    subgroupMaxSize: subgroupSize,
    subgroupSizeControl: false,
    // Of GPUs with subgroups of one size.
    subgroupMatrices: [{ componentType: 'f16', resultComponentType: 'f32', M: 16, N: 16, K: 16 }],
    software,
    shaderF16: true,
    maxWorkgroupMemory: 32768,
    maxInvocations: 256,
    maxBinding: 2 ** 30,
  }) as Partial<AdapterFacts> as AdapterFacts

const specs = [facts(0, false), facts(32, false), facts(64, false), facts(8, true), facts(4, true)]
  .flatMap((adapter) => [...projectKernels(adapter, 'f32'), ...projectKernels(adapter, 'f16')])
  .map(({ spec }) => spec)

const shaders = new Map(
  await Promise.all(shaderNames.map(async (name) => [name, await shaderText(name)] as const)),
)

/** What a file says it needs. */
const needsOf = (name: ShaderName): string[] =>
  /^\/\/ needs: (.*)$/m.exec(shaders.get(name) ?? '')?.[1]?.split(', ') ?? []

/** Whether it does: lines of code, and those that are written out. */
const uses = (code: string, name: string) =>
  new RegExp(`\\b${name}\\b`).test(withoutComments(code.replaceAll('//#', '')))

const filesOf = new Map(
  await Promise.all(specs.map(async (spec) => [spec, await kernelFiles(spec)] as const)),
)

it('every kernel gets the constants and types that its files name', () => {
  const wrong = specs.flatMap((spec) => {
    const given = Object.keys({ ...spec.types, ...spec.sizes }).sort()
    const needed = [...new Set(filesOf.get(spec)?.flatMap(needsOf))].sort()
    return String(given) === String(needed)
      ? []
      : [`${spec.shader}: given ${given}, named ${needed}`]
  })
  expect(wrong).toEqual([])
})

it('every file names the constants and types that it uses, and no others', () => {
  const all = new Set(specs.flatMap((spec) => Object.keys({ ...spec.types, ...spec.sizes })))
  const wrong = [...shaders].flatMap(([name, code]) => {
    const declares = (word: string) =>
      new RegExp(`\\b(const|alias) ${word}\\b`).test(withoutComments(code))
    const used = [...all].filter((word) => uses(code, word) && !declares(word)).sort()
    const named = needsOf(name).sort()
    return String(used) === String(named) ? [] : [`${name}: uses ${used}, names ${named}`]
  })
  expect(wrong).toEqual([])
})

it('every shader file is part of a kernel', () => {
  const files = new Set([...filesOf.values()].flat())
  expect(shaderNames.filter((name) => !files.has(name))).toEqual([])
})

it('parameters and buffers of every kernel are understood', async () => {
  for (const spec of specs) {
    const { params, bindings } = readInterface(spec.shader, await shaderCode(spec))
    expect(params.length).toBeGreaterThan(0)
    const written = bindings.filter((binding) => binding.written)
    expect(written.map(({ name }) => name)).toEqual(['y'])
  }
})

const bytesOfType = { f16: 2, f32: 4, u32: 4, 'atomic<u32>': 4, vec4f: 16, vec4u: 16 } as const

/** Bytes of each variable in workgroup memory; `const` expressions are worked out with the whole numbers of u32. */
function workgroupBytes(code: string): [name: string, bytes: number][] {
  const text = withoutComments(code)
  const numbers = new Map<string, number>()
  const evaluate = (expression: string): number => {
    const plain = expression
      .replace(/\b(\d+)u\b/g, '$1')
      .replace(/\b[A-Z]\w*\b/g, (name) => String(numbers.get(name)))
    if (!/^[\d\s+*/()-]+$/.test(plain)) return Number.NaN
    return Math.floor(Number(new Function(`return ${plain}`)()))
  }
  for (const [, name, value] of text.matchAll(/\bconst (\w+) = ([^;]+);/g)) {
    numbers.set(name as string, evaluate(value as string))
  }
  const variables = text.matchAll(/var<workgroup> (\w+): (?:array<(.+), ([^,;]+)>|([^;]+));/g)
  return [...variables].map(([, name, element, count, single]) => {
    const type = (element ?? single) as keyof typeof bytesOfType
    return [name as string, bytesOfType[type] * (count === undefined ? 1 : evaluate(count))]
  })
}

it('variables beside matrices in workgroup memory leave each other at multiples of 16 bytes', async () => {
  const matrices = specs.filter(({ shader }) => /_matrix$/.test(shader))
  expect(new Set(matrices.map(({ shader }) => shader)).size).toBe(2)
  for (const spec of matrices) {
    const variables = workgroupBytes(await shaderCode(spec))
    expect(variables.length).toBeGreaterThanOrEqual(3)
    const wrong = variables.filter(([, bytes]) => !(bytes > 0 && bytes % 16 === 0))
    expect(wrong, `${spec.shader} ${JSON.stringify(spec.sizes)}`).toEqual([])
  }
})
