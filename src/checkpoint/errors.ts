import { DawnrankError } from '../error.ts'

/**
 * A fault of a checkpoint, or of what was asked of it. Codes:
 *
 * - `config-missing`, `config-invalid`: config.json is not there; it cannot be read as JSON, or a
 *   value in it is absent, of another type or out of range
 * - `weights-missing`: the folder has no safetensors file; the message says the remedy
 * - `index-invalid`: model.safetensors.index.json is malformed or names a file outside the folder, or two of
 *   its shards hold the same tensor
 * - `shard-missing`: a file that the index names is not there
 * - `header-invalid`: the header of a safetensors file is malformed
 * - `tensor-invalid`: a tensor's entry in the header contradicts itself, another entry or the file
 * - `tensor-missing`, `tensor-shape`, `tensor-dtype`: a tensor that the model needs is not there, or
 *   is not as the model needs it
 * - `quantization-unsupported`: config.json names a way of quantizing that is not read
 * - `already-quantized`, `nothing-to-quantize`, `weights-not-finite`: a model cannot be quantized
 * - `file-truncated`, `file-unreadable`: a file ends too early, or reading it failed
 * - `range-invalid`: a read was asked for outside of its tensor
 * - `closed`: a read was asked for after `close`
 */
export class CheckpointError extends DawnrankError {
  static override readonly name: string = 'CheckpointError'
}

const longestShown = 80

/** A value from a file as messages show it: short whatever the file holds, control characters escaped. */
export function show(value: unknown): string {
  if (Array.isArray(value)) return `a list of ${value.length}`
  if (typeof value === 'object' && value !== null) return 'an object'
  if (typeof value !== 'string') return String(value)
  return JSON.stringify(value.length > longestShown ? `${value.slice(0, longestShown)}…` : value)
}

/** A shape as messages show it: `[2, 3]`. */
export const showShape = (shape: readonly number[]): string => `[${shape.join(', ')}]`
