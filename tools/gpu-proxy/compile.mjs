// @ts-check
// Compiles kernels through Dawn for GPUs that are not there: see README.md.
import { spawnSync } from 'node:child_process'
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { delimiter, join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'

const here = fileURLToPath(new URL('.', import.meta.url))
const root = resolve(here, '../..')
const cache = join(root, 'node_modules', '.cache', 'dawnrank', 'gpu-proxy')
const drivers = '/usr/share/vulkan/icd.d'

/**
 * @typedef {object} Target a GPU, and the driver that compiles for it
 * @property {string} driver the beginning of its file's name
 * @property {Record<string, string>} variables that name the GPU
 * @property {string} [shim] the library that stands for the hardware: build-shim.sh
 * @property {boolean} [newer] whether the driver is that of newer-mesa.sh
 *
 * @typedef {object} Architecture a GPU that NVIDIA's own compiler compiles for, once WGSL is CUDA
 * @property {string} cuda its name there
 *
 * @typedef {object} Folders what was built for GPUs other than AMD's
 * @property {string} [shims] of build-shim.sh
 * @property {string} [mesa] of newer-mesa.sh
 * @property {string} [cuda] of CUDA's programs, in its folder `bin`
 *
 * @typedef {Partial<Omit<import('./child.ts').Job, 'out' | 'result'>>} Options
 * @typedef {{ adapter: string, kernels: import('./child.ts').Compiled[] }} Report
 */

/** @type {(family: string) => Target} */
const radv = (family) => ({ driver: 'radeon_icd', variables: { RADV_FORCE_FAMILY: family } })
/** @type {(chipset: string) => Target} */
const nouveau = (chipset) => ({
  driver: 'nouveau_icd',
  variables: { NOUVEAU_CHIPSET: chipset, NVK_I_WANT_A_BROKEN_VULKAN_DRIVER: '1' },
  shim: 'nouveau.so',
  newer: true,
})

/** @type {Record<string, Target | Architecture>} */
export const targets = {
  navi31: radv('navi31'),
  navi21: radv('navi21'),
  dg2: {
    driver: 'intel_icd',
    variables: { INTEL_STUB_GPU_PLATFORM: 'dg2' },
    shim: 'intel.so',
  },
  ampere: nouveau('176'),
  hopper: nouveau('180'),
  sm_90: { cuda: 'sm_90' },
}

/** Why a target cannot be compiled for here, and what to do. */
export class TargetMissing extends Error {}

/**
 * Compiles for a target.
 * @param {string} name
 * @param {Folders} folders
 * @param {Options} [options]
 * @returns {Promise<Report>}
 */
export async function compileFor(name, folders, options = {}) {
  const target = targets[name]
  if (!target) {
    throw new Error(`target: found ${name}; expected ${Object.keys(targets).join(', ')}`)
  }
  if ('cuda' in target) return compileCuda(target, folders, options)
  if (process.platform !== 'linux') throw new TargetMissing('the drivers are for Linux')
  const variables = environmentOf(target, folders)
  const layer = layerFolder()
  const child = await childFile('child.ts')
  const out = mkdtempSync(join(tmpdir(), 'dawnrank-gpu-proxy-'))
  try {
    const result = join(out, 'result.json')
    const defaults = { only: '', files: [], robustness: true }
    const job = JSON.stringify({ ...defaults, ...options, out, result })
    const program = target.newer ? join(String(folders.mesa), 'node') : process.execPath
    const { signal, status, stderr } = spawnSync(program, [child, job], {
      encoding: 'utf8',
      maxBuffer: 2 ** 28,
      env: {
        ...process.env,
        ...variables,
        VK_LAYER_PATH: layer,
        VK_INSTANCE_LAYERS: 'VK_LAYER_DAWNRANK_null_device',
        GPU_PROXY_OUT: out,
        XDG_RUNTIME_DIR: out,
      },
    })
    if (!existsSync(result)) {
      throw new Error(
        `the process that compiles for ${name} ended (${signal ?? status}):\n${stderr}`,
      )
    }
    return JSON.parse(readFileSync(result, 'utf8'))
  } finally {
    rmSync(out, { recursive: true })
  }
}

/**
 * What makes Dawn see the target.
 * @param {Target} target
 * @param {Folders} folders
 * @returns {Record<string, string>}
 */
function environmentOf({ driver, variables, shim, newer }, { shims, mesa }) {
  if (newer && !mesa) throw new TargetMissing('give --mesa the folder of newer-mesa.sh')
  if (shim && !existsSync(join(shims ?? '', shim))) {
    throw new TargetMissing('give --shims the folder of build-shim.sh')
  }
  const folder = newer ? String(mesa) : drivers
  const file = existsSync(folder)
    ? readdirSync(folder).find((name) => name.startsWith(`${driver}.`))
    : undefined
  if (!file) {
    throw new TargetMissing(
      `no ${driver}*.json in ${folder}: install mesa-vulkan-drivers (23 to 25.0; later ones pretend to be no AMD GPU)`,
    )
  }
  const preloaded = shim && resolve(String(shims), shim)
  return {
    ...variables,
    VK_DRIVER_FILES: resolve(folder, file),
    VK_ICD_FILENAMES: resolve(folder, file),
    // A program of newer-mesa.sh hands it on.
    ...(preloaded && { [newer ? 'GPU_PROXY_PRELOAD' : 'LD_PRELOAD']: preloaded }),
  }
}

/** The folder of the layer, which is compiled where it is missing or older than its source. */
function layerFolder() {
  const source = join(here, 'null_device_layer.c')
  const library = join(cache, 'libnull_device_layer.so')
  mkdirSync(cache, { recursive: true })
  copyFileSync(join(here, 'null_device_layer.json'), join(cache, 'null_device_layer.json'))
  if (existsSync(library) && statSync(library).mtimeMs > statSync(source).mtimeMs) return cache
  const args = ['-shared', '-fPIC', '-O1', '-fvisibility=hidden', '-o', library, source]
  const { error, status, stderr } = spawnSync('cc', args, { encoding: 'utf8' })
  if (error) throw new TargetMissing('no C compiler (cc): install gcc and libvulkan-dev')
  if (status === 0) return cache
  if (/vulkan\/\w+\.h/.test(stderr)) {
    throw new TargetMissing('no headers of Vulkan: install libvulkan-dev (Fedora: vulkan-headers)')
  }
  throw new Error(`${source} does not compile:\n${stderr}`)
}

/**
 * The same by NVIDIA's compiler.
 * @param {Architecture} target
 * @param {Folders} folders
 * @param {Options} options
 * @returns {Promise<Report>}
 */
async function compileCuda({ cuda }, folders, { only = '', code }) {
  const [nvcc, nvdisasm] = ['nvcc', 'nvdisasm'].map((name) => {
    const places = [...(folders.cuda ? [join(folders.cuda, 'bin')] : []), ...paths()]
    const found = places.map((place) => join(place, name)).find((file) => existsSync(file))
    if (found) return resolve(found)
    throw new TargetMissing(`no ${name} in PATH: give --cuda the folder of CUDA (README.md)`)
  })
  mkdirSync(cache, { recursive: true })
  const child = await childFile('cuda/child.ts')
  const out = mkdtempSync(join(tmpdir(), 'dawnrank-gpu-proxy-'))
  try {
    const include = join(here, 'cuda')
    const job = JSON.stringify({ only, code, out, include, nvcc, nvdisasm, architecture: cuda })
    const args = [child, job]
    const { status, stdout, stderr } = spawnSync(process.execPath, args, {
      encoding: 'utf8',
      maxBuffer: 2 ** 28,
    })
    if (status !== 0) throw new Error(`the process that compiles for ${cuda} failed:\n${stderr}`)
    return JSON.parse(stdout)
  } finally {
    rmSync(out, { recursive: true })
  }
}

const paths = () => (process.env.PATH ?? '').split(delimiter).filter((place) => place !== '')

/**
 * A file with what it uses of the project, as one file beside the npm packages.
 * @param {string} entry
 */
async function childFile(entry) {
  const outfile = join(cache, `${entry.replace(/\W/g, '-')}-${process.pid}.mjs`)
  process.once('exit', () => rmSync(outfile, { force: true }))
  await build({
    entryPoints: [join(here, entry)],
    absWorkingDir: root,
    bundle: true,
    format: 'esm',
    platform: 'node',
    target: 'es2022',
    outfile,
    loader: { '.wgsl': 'text' },
    external: ['webgpu'],
  })
  return outfile
}
