import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { Embedder } from '../../src/embedders/index.ts'
import { fixtureFolder } from '../fixtures.ts'
import { safetensors } from '../mutations.ts'
import { realSession, session } from './helpers.ts'

const folder = mkdtempSync(join(tmpdir(), 'dawnrank-quantize-'))
afterAll(() => rmSync(folder, { recursive: true }))
const sharded = fixtureFolder('gemma')

/** A model with one matrix of a layer, with this weight in it. */
function tinyModel(name: string, weight: number): string {
  const path = join(folder, name)
  mkdirSync(path)
  const layer = { dtype: 'F32', shape: [1, 2], data_offsets: [0, 8] }
  const header = JSON.stringify({ 'layers.0.mlp.weight': layer })
  const data = new Uint8Array(Float32Array.of(1, weight).buffer)
  writeFileSync(join(path, 'config.json'), '{}')
  writeFileSync(join(path, 'model.safetensors'), safetensors(header, data))
  return path
}

it.each(['embed-bert-mean', 'embed-bge-m3'])('%s stays an embedder', async (name) => {
  const out = join(folder, name)
  expect(await session().run('quantize', fixtureFolder(name), out, '--dtype', 'int8')).toBe(0)
  using written = await Embedder.load(out)
  using loaded = await Embedder.load(fixtureFolder(name), { dtype: 'int8' })
  const known = ({ dtype, pooling, normalize, prompts, multi }: Embedder['info']) => ({
    ...{ dtype, pooling, normalize, prompts, multi },
  })
  expect(known(written.info)).toEqual(known(loaded.info))
  expect(written.info.dtype).toBe('int8')
  const texts = ['what is panda?', 'A panda eats bamboo.']
  expect(await written.embed(texts)).toEqual(await loaded.embed(texts))
  if (!written.info.multi) return
  expect(await written.embedMulti(texts)).toEqual(await loaded.embedMulti(texts))
})

describe('quantize', () => {
  it('writes a sharded model as one file, with its tokenizer, and says what it did', async () => {
    const on = session()
    const out = join(folder, 'new', 'gemma-int8')
    expect(await on.run('quantize', sharded, out, '--dtype', 'int8')).toBe(0)
    expect(on.stderr.text).toBe('')
    expect(on.stdout.text).toMatch(
      /gemma-int8: \d+ matrices in int8; \d+ MB of weights are now \d+ MB\n$/,
    )
    const kept = readdirSync(sharded).filter((file) => !file.includes('safetensors'))
    expect(readdirSync(out)).toEqual([...kept, 'model.safetensors'].sort())
    for (const file of kept) {
      if (file === 'config.json') continue
      expect(readFileSync(join(out, file)).equals(readFileSync(join(sharded, file)))).toBe(true)
    }
    expect(JSON.parse(readFileSync(join(out, 'config.json'), 'utf8'))).toMatchObject({
      architectures: ['GemmaForCausalLM'],
      quantization_config: {
        ...{ quant_method: 'dawnrank', bits: 8, group_size: 32 },
        embedding_bits: 8,
      },
    })
    expect(on.loads).toEqual([])
  })

  it('writes to a folder that is empty, and leaves other formats and folders out', async () => {
    const model = tinyModel('mixed', 2)
    cpSync(join(model, 'model.safetensors'), join(model, 'pytorch_model.bin'))
    writeFileSync(join(model, 'LICENSE'), 'a licence')
    mkdirSync(join(model, 'onnx'))
    const out = join(folder, 'empty')
    mkdirSync(out)
    const dtypes = ['--dtype', 'int8', '--embeddings', 'int4']
    expect(await session().run('quantize', model, out, ...dtypes)).toBe(0)
    expect(JSON.parse(readFileSync(join(out, 'config.json'), 'utf8'))).toMatchObject({
      quantization_config: { bits: 8, embedding_bits: 4 },
    })
    expect(readdirSync(out).sort()).toEqual(['LICENSE', 'config.json', 'model.safetensors'])
  })

  it('refuses a folder with files, and leaves them', async () => {
    const out = join(folder, 'full')
    mkdirSync(out)
    writeFileSync(join(out, 'mine.txt'), 'mine')
    const on = session()
    expect(await on.run('quantize', sharded, out, '--dtype', 'int8')).toBe(1)
    expect(on.stderr.text).toContain(
      'full: has 1 files already, such as mine.txt; expected a new or an empty folder',
    )
    expect(await on.run('quantize', sharded, join(out, 'mine.txt'), '--dtype', 'int8')).toBe(1)
    expect(on.stderr.text).toContain('mine.txt: is no folder (ENOTDIR)')
    expect(readdirSync(out)).toEqual(['mine.txt'])
  })

  it('leaves nothing behind where it fails midway, or is stopped', async () => {
    const out = join(folder, 'failed')
    const on = session()
    const model = tinyModel('damaged', Number.NaN)
    expect(await on.run('quantize', model, out, '--dtype', 'int8')).toBe(1)
    expect(on.stderr.text).toContain(
      'dawnrank: tensor "layers.0.mlp.weight" has a weight that is infinite or not a number',
    )
    const stopped = session()
    stopped.interrupt.abort()
    expect(await stopped.run('quantize', sharded, out, '--dtype', 'int8')).toBe(130)
    expect(readdirSync(folder).filter((name) => name.startsWith('failed'))).toEqual([])
  })

  it('leaves a part of another run alone', async () => {
    const out = join(folder, 'twice')
    mkdirSync(`${out}.part`)
    const on = session()
    expect(await on.run('quantize', tinyModel('tiny', 2), out, '--dtype', 'int8')).toBe(1)
    expect(on.stderr.text).toContain('twice.part: is there already, from a run that goes on')
    expect([existsSync(out), existsSync(`${out}.part`)]).toEqual([false, true])
  })

  it('refuses what is quantized already, and what is no model', async () => {
    const once = join(folder, 'once')
    const again = join(folder, 'again')
    expect(await session().run('quantize', sharded, once, '--dtype', 'int8')).toBe(0)
    const on = session()
    expect(await on.run('quantize', once, again, '--dtype', 'int4')).toBe(1)
    expect(on.stderr.text).toContain('once: the weights are int8 already')
    expect(await on.run('quantize', join(folder, 'nowhere'), again, '--dtype', 'int4')).toBe(1)
    expect(on.stderr.text).toContain('nowhere: does not exist; expected a folder')
    expect(existsSync(again)).toBe(false)
  })

  it.each<[string[], string]>([
    [[], "required option '--dtype <type>' not specified"],
    [['--dtype', 'f16'], 'Allowed choices are int8, int4'],
  ])('ends with 2 for %j', async (args, message) => {
    const on = session()
    expect(await on.run('quantize', sharded, join(folder, 'none'), ...args)).toBe(2)
    expect(on.stderr.text).toContain(message)
  })

  it('writes what ranks as the model does where that is quantized as it is loaded', async () => {
    const model = fixtureFolder('xlm-roberta-514')
    const out = join(folder, 'xlm-roberta-int4')
    expect(await session().run('quantize', model, out, '--dtype', 'int4')).toBe(0)
    const rank = async (...args: string[]) => {
      const on = realSession()
      expect(await on.run('rerank', 'what is panda?', 'hi', 'a bear', 'x', ...args)).toBe(0)
      return on.stdout.text
    }
    const ranked = await rank('--model', out)
    expect(ranked).toBe(await rank('--model', model, '--dtype', 'int4'))
    expect(ranked).not.toBe(await rank('--model', model))
    const on = realSession()
    expect(await on.run('rerank', 'q', 'a', '--model', out, '--dtype', 'f16')).toBe(2)
    expect(on.stderr.text).toContain(
      `dtype: found "f16"; ${out} is quantized to int4. Leave it out, or load the folder`,
    )
  })
})
