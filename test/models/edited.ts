/** Copies of the fixtures' model folders in memory, edited. */
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import {
  type FloatDtype,
  type StoredDtype,
  safetensorsLayout,
  storedToF32,
} from '../../src/checkpoint/index.ts'
import { fixtureFolder } from '../fixtures.ts'
import { safetensors } from '../mutations.ts'

/** The pairs whose scores of the reference are recorded for the copies. */
export const pairs: [string, string][] = [
  ['what is panda?', 'hi'],
  ['what is panda?', '[TITLE] The giant panda </s> is a bear.'],
  [
    'Wo liegt Paris?',
    'Paris ist die Hauptstadt von Frankreich und liegt an der Seine. Die Stadt hat zwei Millionen Einwohner.',
  ],
]

/** A tensor of a file. */
export interface Stored {
  readonly name: string
  readonly dtype: StoredDtype
  readonly shape: readonly number[]
  readonly data: Uint8Array<ArrayBuffer>
}

/** What is changed in a copy. */
export interface Edit {
  readonly set?: Readonly<Record<string, unknown>>
  readonly remove?: readonly string[]
  /** Written in place of config.json, of whose text it is made. */
  readonly text?: (config: string) => string
  readonly tensors?: (tensors: Stored[]) => Stored[]
}

/** The config of a fixture, edited. */
export function editedConfig(name: string, { set, remove = [] }: Edit): Record<string, unknown> {
  const config = JSON.parse(readFileSync(join(fixtureFolder(name), 'config.json'), 'utf8'))
  for (const key of remove) delete config[key]
  return { ...config, ...set }
}

/** The files of a fixture, edited. Where tensors are changed, shards become one file. */
export function editedModel(name: string, edit: Edit): Record<string, Blob> {
  const folder = fixtureFolder(name)
  const files = new Map(
    readdirSync(folder).map((file) => [file, new Uint8Array(readFileSync(join(folder, file)))]),
  )
  const config = JSON.stringify(editedConfig(name, edit))
  files.set('config.json', new TextEncoder().encode(edit.text?.(config) ?? config))
  if (edit.tensors) {
    const stored = [...files].filter(([file]) => file.endsWith('.safetensors'))
    files.delete('model.safetensors.index.json')
    for (const [file] of stored) files.delete(file)
    const tensors = edit.tensors(stored.flatMap(([, bytes]) => tensorsOf(bytes)))
    files.set('model.safetensors', written(tensors))
  }
  return Object.fromEntries([...files].map(([file, bytes]) => [file, new Blob([bytes])]))
}

function tensorsOf(file: Uint8Array<ArrayBuffer>): Stored[] {
  const length = new DataView(file.buffer).getUint32(0, true)
  const { __metadata__, ...header } = JSON.parse(
    new TextDecoder().decode(file.subarray(8, 8 + length)),
  ) as Record<string, { dtype: string; shape: number[]; data_offsets: [number, number] }>
  return Object.entries(header).map(
    ([
      name,
      {
        dtype,
        shape,
        data_offsets: [begin, end],
      },
    ]) => ({
      name,
      dtype: dtype.toLowerCase() as StoredDtype,
      shape,
      data: file.slice(8 + length + begin, 8 + length + end),
    }),
  )
}

function written(tensors: readonly Stored[]): Uint8Array<ArrayBuffer> {
  const header = safetensorsLayout(tensors).header.subarray(8)
  return safetensors(header, new Uint8Array(Buffer.concat(tensors.map(({ data }) => data))))
}

/** The tensors with the part of their names that fits replaced. */
export const renamed = (pattern: RegExp, name: string) => (tensors: Stored[]) =>
  tensors.map((tensor) => ({ ...tensor, name: tensor.name.replace(pattern, name) }))

/** A tensor of floats, stored as f64, each times a factor. */
export function asF64(tensor: Stored, factor = 1): Stored {
  if (!['f32', 'f16', 'bf16'].includes(tensor.dtype)) return tensor
  const values = Float64Array.from(storedToF32(tensor.data, tensor.dtype as FloatDtype))
  const scaled = values.map((value) => value * factor)
  return { ...tensor, dtype: 'f64', data: new Uint8Array(scaled.buffer) }
}
