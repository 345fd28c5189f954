import { readFile } from 'node:fs/promises'
import { arch, platform, release } from 'node:os'
import { basename } from 'node:path'
import type { Command } from 'commander'
import { version } from '../../package.json'
import { matrixFeature } from '../gpu/device.ts'
import { PlatformError } from '../platform/errors.ts'
import { CliError } from './errors.ts'
import { type Io, write } from './io.ts'
import { noAdapter, noPackage, type System } from './remedies.ts'
import { table } from './table.ts'

/** The result of one check. */
interface Check {
  readonly name: string
  /** `note`: works, but could be better. */
  readonly state: 'ok' | 'note' | 'fault'
  readonly found: string
  /** What to do, a line each. */
  readonly remedy?: readonly string[]
}

/** What `dawnrank doctor --json` prints. */
interface Report {
  readonly versions: Readonly<Record<string, string>>
  readonly adapter?: Readonly<Record<string, unknown>>
  readonly features?: readonly string[]
  readonly limits?: Readonly<Record<string, number>>
  /** The first embedded model's `info`: dtype, kernels, sizes, limits, memory. */
  readonly model?: unknown
  readonly checks: readonly Check[]
}

const help = `
Exit code 0: reranking works on this machine. 1: it does not; the report says
what to do.
`

/** Adds `dawnrank doctor` to the program. */
export function addDoctor(program: Command, io: Io): void {
  program
    .command('doctor')
    .summary('check this machine, run a self-test, and say what to do if something is missing')
    .description(
      'Checks versions, WebGPU adapter, features and limits, runs a self-test of each embedded model, and says what to do if something is missing.',
    )
    .option('--json', 'print the report as JSON', false)
    .addHelpText('after', help)
    .action(async ({ json }: { json: boolean }) => {
      const report = await examine(io)
      await write(io.stdout, json ? `${JSON.stringify(report, null, 2)}\n` : reportText(report))
      if (report.checks.some(({ state }) => state === 'fault')) {
        throw new CliError('machine-unfit', 'this machine cannot rerank yet; see the report')
      }
    })
}

/** The limits that decide which models and kernels fit. */
const limitNames = [
  'maxBufferSize',
  'maxStorageBufferBindingSize',
  'maxStorageBuffersPerShaderStage',
  'maxComputeInvocationsPerWorkgroup',
  'maxComputeWorkgroupStorageSize',
  'maxComputeWorkgroupsPerDimension',
] as const

async function examine(io: Io): Promise<Report> {
  const system = await readSystem()
  const versions = await readVersions(system.name)
  const checks: Check[] = [checkRuntime()]
  const adapter = await findAdapter(io, system, checks)
  io.signal.throwIfAborted()
  if (!adapter) return { versions, checks }
  checks.push(checkKind(adapter.info), checkFeatures(adapter))
  const model = await selfTests(io, adapter, checks)
  return {
    versions,
    adapter: describe(adapter.info),
    features: [...adapter.features].sort(),
    limits: Object.fromEntries(limitNames.map((name) => [name, adapter.limits[name]])),
    model,
    checks,
  }
}

const fault = (name: string, error: unknown, remedy: readonly string[]): Check => ({
  name,
  state: 'fault',
  found: error instanceof Error ? error.message : String(error),
  remedy,
})

async function findAdapter(
  io: Io,
  system: System,
  checks: Check[],
): Promise<GPUAdapter | undefined> {
  let gpu: GPU
  try {
    gpu = await io.webgpu()
    checks.push({ name: 'WebGPU', state: 'ok', found: 'loads' })
  } catch (error) {
    checks.push(fault('WebGPU', error, noPackage()))
    return undefined
  }
  try {
    const adapter = await gpu.requestAdapter({ powerPreference: 'high-performance' })
    if (adapter) return adapter
    checks.push(fault('adapter', 'WebGPU offers none', noAdapter(system)))
  } catch (error) {
    checks.push(fault('adapter', error, noAdapter(system)))
  }
  return undefined
}

const describe = (info: GPUAdapterInfo) => ({
  vendor: info.vendor,
  architecture: info.architecture,
  device: info.device,
  description: info.description,
  software: info.isFallbackAdapter,
  subgroupMinSize: info.subgroupMinSize,
  subgroupMaxSize: info.subgroupMaxSize,
})

function checkKind({ isFallbackAdapter, description, device, vendor }: GPUAdapterInfo): Check {
  const found = description || device || vendor || 'without a name'
  if (!isFallbackAdapter) return { name: 'adapter', state: 'ok', found }
  return {
    name: 'adapter',
    state: 'note',
    found: `${found}, which computes on the processor`,
    remedy: ['A GPU is many times faster; where there is one, see that its driver is installed.'],
  }
}

/**
 * Tests every embedded model, one after the other, and gives the `info` of the first. Activations are those of any load; where
 * the adapter has subgroup matrices, which f16 activations are multiplied by, each is tested with f32 and with f16; that they are
 * left out, since a check found them wrong, is a warning of the model.
 */
async function selfTests(
  { embedded, signal }: Io,
  { features }: GPUAdapter,
  checks: Check[],
): Promise<unknown> {
  const infos: unknown[] = []
  const hasMatrices = features.has(matrixFeature as GPUFeatureName) && features.has('shader-f16')
  const kinds = hasMatrices ? (['f32', 'f16'] as const) : [undefined]
  const tests = embedded.flatMap((model) => kinds.map((activations) => ({ ...model, activations })))
  for (const { name, load, activations } of tests) {
    const check = `self-test of ${name}${activations === 'f16' ? ', f16 activations' : ''}`
    try {
      const start = performance.now()
      const reranker = await load({ activations, signal })
      try {
        infos.push(reranker.info)
        const loaded = performance.now()
        const { score, expected } = await reranker.selfTest()
        const times = `loaded in ${seconds(loaded - start)}, scored in ${seconds(performance.now() - loaded)}`
        const model = basename(reranker.info.model)
        const found = `${model}: logit ${score.toFixed(4)}, PyTorch's is ${expected.toFixed(4)}; ${times}`
        checks.push({ name: check, state: 'ok', found })
        for (const warning of reranker.info.warnings) {
          checks.push({ name: `warning of ${check}`, state: 'note', found: warning })
        }
      } finally {
        reranker.dispose()
      }
    } catch (error) {
      signal.throwIfAborted()
      checks.push(
        isMissing(error)
          ? { name: check, state: 'note', found: (error as Error).message }
          : fault(check, error, [folderRemedy, driverRemedy]),
      )
    }
  }
  if (infos.length === 0 && checks.every(({ state }) => state !== 'fault')) {
    checks.push(fault('self-test', 'no embedded model is installed', [packageRemedy]))
  }
  return infos[0]
}

/** Whether an error says that the package of an embedded model is not installed, which other models do not need. */
const isMissing = (error: unknown) =>
  error instanceof PlatformError && error.code === 'model-missing'

function checkRuntime(): Check {
  const { node, deno, bun } = process.versions
  if (deno) return { name: 'runtime', state: 'ok', found: `Deno ${deno}` }
  if (bun) return { name: 'runtime', state: 'ok', found: `Bun ${bun}` }
  const [major = 0, minor = 0] = node.split('.').map(Number)
  const found = `Node ${node}`
  if (major > 20 || (major === 20 && minor >= 19)) return { name: 'runtime', state: 'ok', found }
  return {
    name: 'runtime',
    state: 'fault',
    found,
    remedy: ['dawnrank needs Node 20.19 or later: install a newer Node.'],
  }
}

function checkFeatures(adapter: GPUAdapter): Check {
  const gains = [
    ['shader-f16', 'activations in f16'],
    ['subgroups', 'the kernels that use subgroups'],
  ] as const
  const lacking = gains.filter(([feature]) => !adapter.features.has(feature))
  if (lacking.length === 0) {
    return { name: 'features', state: 'ok', found: gains.map(([feature]) => feature).join(', ') }
  }
  const found = lacking.map(([feature, gain]) => `no ${feature}, so without ${gain}`).join('; ')
  return { name: 'features', state: 'note', found }
}

const packageRemedy =
  'Install one, so that a score can be compared with PyTorch: npm install @dawnrank/xlm-roberta-6x384'
const folderRemedy =
  'If the model cannot be read, put its folder back in place ("npm install", or a fresh clone).'
const driverRemedy =
  'If the score is wrong or the device fails, update the graphics driver, and report this with the output of "dawnrank doctor --json".'

const seconds = (milliseconds: number) => `${(milliseconds / 1000).toFixed(2)} s`

async function readSystem(): Promise<System & { name: string }> {
  const text = await readFile('/etc/os-release', 'utf8').catch(() => '')
  const fields = new Map(
    text.split('\n').map((line) => {
      const [key = '', value = ''] = line.split('=')
      return [key, value.replace(/^"|"$/g, '')]
    }),
  )
  return {
    platform: platform(),
    distributions: `${fields.get('ID') ?? ''} ${fields.get('ID_LIKE') ?? ''}`.trim().split(' '),
    codename: fields.get('VERSION_CODENAME') ?? '',
    name: fields.get('PRETTY_NAME') ?? `${platform()} ${release()}`,
  }
}

async function readVersions(systemName: string): Promise<Record<string, string>> {
  return {
    dawnrank: version,
    runtime: checkRuntime().found,
    system: `${systemName}, ${platform()} ${arch()}`,
    'npm webgpu (Dawn)': await dawnVersion(),
  }
}

async function dawnVersion(): Promise<string> {
  try {
    const text = await readFile(new URL(import.meta.resolve('webgpu/package.json')), 'utf8')
    return JSON.parse(text).version
  } catch {
    return 'not installed'
  }
}

const marks = { ok: 'ok', note: 'note', fault: 'FAULT' }

function reportText({ versions, adapter, features, limits, model, checks }: Report): string {
  const lines: string[] = []
  const section = (title: string, entries: Readonly<Record<string, unknown>>) => {
    const rows = Object.entries(entries).map(([key, value]) => [key, valueText(value)])
    if (rows.length > 0) lines.push(table([title, ''], rows))
  }
  section('versions', versions)
  if (adapter) section('adapter', adapter)
  if (features) lines.push(`features\n${features.join(', ')}\n`)
  if (limits) section('limits', limits)
  if (model) section('model', model as Record<string, unknown>)
  lines.push(
    table(
      ['check', '', 'found'],
      checks.map((one) => [one.name, marks[one.state], one.found]),
    ),
  )
  for (const { name, remedy } of checks) {
    if (remedy) lines.push(`${name}:\n${remedy.map((line) => `  ${line}`).join('\n')}\n`)
  }
  return lines.join('\n')
}

const valueText = (value: unknown): string =>
  Array.isArray(value)
    ? value.join(', ')
    : typeof value === 'object' && value !== null
      ? Object.entries(value)
          .map(([key, one]) => `${key} ${typeof one === 'object' ? JSON.stringify(one) : one}`)
          .join(', ')
      : String(value)
