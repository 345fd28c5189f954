import { describe, expect, it } from 'vitest'
import { isWhole, neededFiles } from '../../src/hub/needed.ts'

const model = ['config.json', 'model.safetensors']

/** Those of the paths that are needed. */
function neededOf(...paths: string[]): string[] {
  const files = paths.map((path) => [path, { path, size: 1, etag: 'a'.repeat(40) }] as const)
  return neededFiles('org/name', new Map(files)).files.map(({ path }) => path)
}

describe.each([['vocab.txt'], ['vocab.json', 'merges.txt']])('%s', (...vocabulary) => {
  it('is needed unless there is a tokenizer.json', () => {
    expect(neededOf(...model, ...vocabulary)).toEqual([...model, ...vocabulary])
    expect(neededOf(...model, 'tokenizer.json', ...vocabulary)).toEqual([
      ...model,
      'tokenizer.json',
    ])
  })

  it('makes a tokenizer for a snapshot that is used as it is', async () => {
    const withFiles = (...paths: string[]) =>
      isWhole(
        {
          has: async (path) => paths.includes(path),
          lacks: async () => false,
          read: async () => '',
        },
        { strict: false },
      )
    expect(await withFiles(...model)).toBe(false)
    expect(await withFiles(...model, ...vocabulary)).toBe(true)
  })
})
