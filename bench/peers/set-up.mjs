// @ts-check
// What the peers need: their packages, and ONNX files of the model. Each is made when it is missing, or
// the reason why it cannot be is told.
import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const here = fileURLToPath(new URL('.', import.meta.url))

/**
 * A package in bench/peers/node_modules, apart from the project's. Install scripts, one of which would fetch CUDA
 * libraries, are not run: WebGPU and CPU need none.
 * @param {'onnxruntime-node' | '@huggingface/transformers'} name
 * @param {boolean} mayInstall
 * @returns {string | undefined} why it is not there
 */
export function missingPackage(name, mayInstall) {
  const installed = () => existsSync(join(here, 'node_modules', name, 'package.json'))
  if (installed()) return undefined
  const command = ['ci', '--ignore-scripts', '--prefix', here]
  if (!mayInstall) return `${name} is not installed; run npm ${command.join(' ')}`
  console.log(`bench: installing the peers (npm ${command.join(' ')})`)
  const { status, stderr, error } = spawnSync('npm', command, {
    encoding: 'utf8',
    shell: process.platform === 'win32',
  })
  if (status === 0 && installed()) return undefined
  return `${name} could not be installed: ${error?.message ?? lastLines(stderr)}`
}

/** Models whose weights take more in 16 bits have no ONNX files made: two graphs in f32 would take four times that. */
const heaviest = 256 * 2 ** 20

/**
 * plain/model.onnx and fused/model.onnx of a model folder, under `out`.
 * @param {string} model
 * @param {string} out
 * @returns {string | undefined} why they are not there
 */
export function missingGraphs(model, out) {
  const bytes = weightFiles(model).reduce((sum, file) => sum + statSync(file).size, 0)
  if (bytes > heaviest) {
    const mib = (/** @type {number} */ count) => `${Math.round(count / 2 ** 20)} MiB`
    return `weights of ${mib(bytes)}: no ONNX files are made of more than ${mib(heaviest)}`
  }
  const stamp = join(out, 'made-from.json')
  const source = JSON.stringify({ weights: weightsHash(model) })
  if (existsSync(stamp) && readFileSync(stamp, 'utf8') === source) return undefined
  const found = findPython(['torch', 'transformers', 'onnx', 'onnxruntime'])
  if (!found.python) {
    return (
      `no ONNX files, and no Python to make them with (${found.reason}).\n` +
      `  python3 -m venv ${here}venv; ${here}venv/bin/pip install torch==2.13.0 -r ${here}requirements.txt\n` +
      '  or name one that has them in BENCH_PYTHON'
    )
  }
  console.log(`bench: exporting ${model} to ONNX with ${found.python}`)
  mkdirSync(out, { recursive: true })
  const script = join(here, 'make_onnx.py')
  const { status, stdout, stderr } = spawnSync(
    found.python,
    ['-B', script, '--model', model, '--out', out],
    { encoding: 'utf8' },
  )
  if (status !== 0) return `the export to ONNX failed:\n${lastLines(stderr)}`
  console.log(stdout.trim())
  writeFileSync(stamp, source)
  return undefined
}

/**
 * A Python that has these modules.
 * @param {readonly string[]} modules
 * @returns {{ python: string, reason?: undefined } | { python?: undefined, reason: string }}
 */
export function findPython(modules) {
  const named = process.env.BENCH_PYTHON
  const own = join(here, 'venv', process.platform === 'win32' ? 'Scripts/python.exe' : 'bin/python')
  const reasons = []
  for (const python of named ? [named] : [own, 'python3', 'python']) {
    const { status, stderr } = spawnSync(python, ['-c', `import ${modules.join(', ')}`], {
      encoding: 'utf8',
    })
    if (status === 0) return { python }
    reasons.push(`${python}: ${status === null ? 'not found' : lastLines(stderr, 1)}`)
  }
  return { reason: reasons.join('; ') }
}

/** @param {string} model */
function weightsHash(model) {
  const hash = createHash('sha256')
  for (const file of [join(model, 'config.json'), ...weightFiles(model)]) {
    hash.update(readFileSync(file))
  }
  return hash.digest('hex')
}

/** @param {string} model */
const weightFiles = (model) =>
  readdirSync(model)
    .filter((name) => name.endsWith('.safetensors'))
    .sort()
    .map((name) => join(model, name))

/** @param {string} text @param {number} count */
const lastLines = (text = '', count = 5) => text.trim().split('\n').slice(-count).join('\n')
