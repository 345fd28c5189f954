// @ts-check
// What a run keeps, so that a later one can be compared with it: where it ran, what each part was given, what came out.
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { arch, availableParallelism, cpus, platform, totalmem } from 'node:os'
import { basename, join } from 'node:path'
import { probeAdapter } from '../tools/setup/adapter.mjs'
import { checkParts, checkPlace, checkWorkload, comparison, readRun } from './compare.mjs'
import { out, root } from './turns.mjs'

/**
 * @typedef {{ value: number, unit: string }} Figure
 * @typedef {Record<string, string | number>} Workload what a part is given: model, texts, sizes
 * @typedef {{
 *   workload: Workload, figures: Record<string, Figure>, otherCores?: number | undefined, details: unknown,
 * }} Part figures by contestant
 * @typedef {{ cpu: string, cores: number, memoryGiB: number, system: string }} Machine
 * @typedef {{
 *   when: string, machine: Machine, adapter: string, versions: Record<string, string>, parts: Record<string, Part>,
 * }} Run
 */

/** @returns {Machine} */
function machine() {
  return {
    cpu: cpus()[0]?.model.trim() || 'unknown',
    cores: availableParallelism(),
    memoryGiB: Math.round(totalmem() / 2 ** 30),
    system: `${platform()}-${arch()}`,
  }
}

/** The packages that a figure hangs on, with the folder that each is looked for in. */
const recordedPackages = {
  webgpu: root,
  'onnxruntime-node': join(root, 'bench', 'peers'),
  '@huggingface/transformers': join(root, 'bench', 'peers'),
  'sentencepiece-js': root,
}

/** @returns {Record<string, string>} */
function versions() {
  const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))
  const packages = Object.entries(recordedPackages).flatMap(([name, folder]) => {
    const file = join(folder, 'node_modules', name, 'package.json')
    return existsSync(file) ? [[name, JSON.parse(readFileSync(file, 'utf8')).version]] : []
  })
  return { dawnrank: version, node: process.versions.node, ...Object.fromEntries(packages) }
}

/**
 * Some bytes as twelve digits that tell them from others.
 * @param {string | Uint8Array} data
 */
export const digest = (data) => createHash('sha256').update(data).digest('hex').slice(0, 12)

/**
 * A model as workloads name it: speed hangs on its configuration and the size of its weights, not on their values.
 * @param {string} folder
 */
export function modelName(folder) {
  const files = readdirSync(folder).filter((name) => name.endsWith('.safetensors'))
  const bytes = files.reduce((sum, name) => sum + statSync(join(folder, name)).size, 0)
  const config = digest(readFileSync(join(folder, 'config.json')))
  return `${basename(folder)}, config ${config}, ${(bytes / 2 ** 20).toFixed(1)} MiB`
}

/** The figures of one run of `npm run bench`, kept in bench/out part by part, and compared with an earlier one. */
export class Recorder {
  #earlier
  /** @type {Run} */
  #run

  /**
   * @param {readonly string[]} parts that will be measured
   * @param {string | undefined} against the file of an earlier run
   * @throws Error where that run does not compare
   */
  constructor(parts, against) {
    // Read at once: this run may write the same file.
    this.#earlier = against === undefined ? undefined : readRun(against)
    const adapter = probeAdapter(root)
    if (!adapter.found) throw new Error(`no WebGPU adapter: ${adapter.reason}`)
    this.#run = {
      when: new Date().toISOString(),
      machine: machine(),
      adapter: adapter.name,
      versions: versions(),
      parts: {},
    }
    const { cpu, cores, memoryGiB } = this.#run.machine
    console.log(`bench: ${cpu}, ${cores} cores, ${memoryGiB} GiB; adapter ${adapter.name}`)
    const named = Object.entries(this.#run.versions).map(([name, version]) => `${name} ${version}`)
    console.log(`bench: ${named.join(', ')}`)
    if (!this.#earlier) return
    checkPlace(this.#earlier, this.#run)
    checkParts(this.#earlier, parts)
  }

  /**
   * Says what a part is about to measure.
   * @param {string} part
   * @param {Workload} workload
   * @throws Error where the earlier run measured something else
   */
  begin(part, workload) {
    if (this.#earlier) checkWorkload(this.#earlier, part, workload)
  }

  /**
   * Keeps what a part has measured, and prints how it compares.
   * @param {string} part
   * @param {string} name of the file in bench/out, without its ending
   * @param {Part} result
   */
  keep(part, name, result) {
    mkdirSync(out, { recursive: true })
    this.#run.parts[part] = result
    const file = join(out, `${name}.json`)
    write(file, { ...this.#run, parts: { [part]: result } })
    write(join(out, 'run.json'), this.#run)
    console.log(`kept in ${file}`)
    if (this.#earlier) console.log(`\n${comparison(this.#earlier, this.#run, part)}`)
  }
}

/** @param {string} file @param {Run} run */
const write = (file, run) => writeFileSync(file, `${JSON.stringify(run, null, 2)}\n`)
