import { describe, expect, it } from 'vitest'
import { noAdapter } from '../../src/cli/remedies.ts'
import { FlagReranker, PlatformError } from '../../src/index.ts'
import { session } from './helpers.ts'

const limits = {
  maxBufferSize: 1,
  maxStorageBufferBindingSize: 2,
  maxStorageBuffersPerShaderStage: 3,
  maxComputeInvocationsPerWorkgroup: 4,
  maxComputeWorkgroupStorageSize: 5,
  maxComputeWorkgroupsPerDimension: 6,
}
const gpuWith = (info: object, features: string[]) => async () =>
  ({
    requestAdapter: async () => ({ info, limits, features: new Set(features) }),
  }) as unknown as GPU

describe('doctor', () => {
  it('reports a machine that works', async () => {
    const webgpu = gpuWith({ vendor: 'v', description: 'Fast GPU' }, ['subgroups', 'shader-f16'])
    const on = session({ webgpu })
    expect(await on.run('doctor')).toBe(0)
    expect(on.stdout.text).toMatch(/adapter\s+ok\s+Fast GPU\n/)
    expect(on.stdout.text).toMatch(/self-test of FlagReranker\s+ok\s+numbers: logit 4\.6411/)
    expect(on.stdout.text).toContain('shader-f16, subgroups\n')
    expect(on.stderr.text).toBe('')
    expect(on.reranker.disposed).toBe(1)

    const json = session({ webgpu })
    expect(await json.run('doctor', '--json')).toBe(0)
    const report = JSON.parse(json.stdout.text)
    expect(report).toMatchObject({
      versions: { dawnrank: expect.stringMatching(/^\d+\.\d+\.\d+/) },
      adapter: { vendor: 'v' },
      features: ['shader-f16', 'subgroups'],
      limits,
      model: { dtype: 'f32' },
    })
    expect(report.checks.map(({ state }: { state: string }) => state)).toEqual(Array(5).fill('ok'))
  })

  it('tests each embedded model, also after one that is not there', async () => {
    const on = session({
      webgpu: gpuWith({ description: 'Fast GPU' }, ['subgroups', 'shader-f16']),
      embedded: [
        { name: 'Other', load: (options) => FlagReranker.load('no/such/folder', options) },
        { name: 'FlagReranker', load: (options) => FlagReranker.load(undefined, options) },
      ],
    })
    expect(await on.run('doctor', '--json')).toBe(1)
    const { model, checks } = JSON.parse(on.stdout.text)
    expect(model.sizes.hidden).toBe(384)
    expect(checks.slice(-2)).toMatchObject([
      {
        name: 'self-test of Other',
        state: 'fault',
        found: expect.stringContaining('no/such/folder'),
      },
      { name: 'self-test of FlagReranker', state: 'ok' },
    ])
  })

  it('notes embedded models that are not installed, and fails where none is', async () => {
    const webgpu = gpuWith({ description: 'Fast GPU' }, ['subgroups', 'shader-f16'])
    const absent = {
      name: 'Other',
      load: () => Promise.reject(new PlatformError('model-missing', '@dawnrank/other: absent')),
    }
    const { forCli } = session().reranker
    const present = { name: 'FlagReranker', load: async () => forCli }
    const one = session({ webgpu, embedded: [absent, present] })
    expect(await one.run('doctor')).toBe(0)
    expect(one.stdout.text).toMatch(/self-test of Other\s+note\s+@dawnrank\/other: absent/)

    const none = session({ webgpu, embedded: [absent] })
    expect(await none.run('doctor')).toBe(1)
    expect(none.stdout.text).toContain('npm install @dawnrank/xlm-roberta-6x384')
  })

  it('tests f16 activations, too, where there are subgroup matrices', async () => {
    const features = ['subgroups', 'shader-f16', 'chromium-experimental-subgroup-matrix']
    const on = session({ webgpu: gpuWith({ description: 'Fast GPU' }, features) })
    expect(await on.run('doctor')).toBe(0)
    expect(on.stdout.text).toMatch(/self-test of FlagReranker, f16 activations\s+ok\s+numbers/)
    expect(on.reranker.disposed).toBe(2)
  })

  it('notes that subgroup matrices were found wrong', async () => {
    const on = session({
      webgpu: gpuWith({ description: 'Fast GPU' }, ['subgroups', 'shader-f16']),
    })
    on.reranker.info.warnings.push('subgroup matrices are wrong')
    expect(await on.run('doctor')).toBe(0)
    expect(on.stdout.text).toMatch(
      /warning of self-test of \S+\s+note\s+subgroup matrices are wrong/,
    )
  })

  it('notes what could be better', async () => {
    const on = session({ webgpu: gpuWith({ device: 'llvmpipe', isFallbackAdapter: true }, []) })
    expect(await on.run('doctor')).toBe(0)
    expect(on.stdout.text).toMatch(/adapter\s+note\s+llvmpipe, which computes on the processor/)
    expect(on.stdout.text).toMatch(/features\s+note\s+no shader-f16/)
  })

  it('ends with 1 and says what to do without an adapter', async () => {
    const on = session()
    expect(await on.run('doctor')).toBe(1)
    expect(on.stdout.text).toMatch(/adapter\s+FAULT\s+WebGPU offers none/)
    expect(on.stdout.text).toMatch(/\nadapter:\n {2}\S/)
    expect(on.stderr.text).toContain('cannot rerank yet')
    expect(on.loads).toEqual([])
  })

  it('ends with 1 where WebGPU does not load, and where the self-test fails', async () => {
    const none = session({ webgpu: () => Promise.reject(new Error('cannot be loaded')) })
    expect(await none.run('doctor', '--json')).toBe(1)
    expect(JSON.parse(none.stdout.text).checks[1]).toMatchObject({
      name: 'WebGPU',
      state: 'fault',
      found: 'cannot be loaded',
    })
    const wrong = session({ webgpu: gpuWith({}, []) })
    wrong.reranker.selfTest = () => Promise.reject(new Error('the score is 3'))
    expect(await wrong.run('doctor')).toBe(1)
    expect(wrong.stdout.text).toMatch(/self-test of FlagReranker\s+FAULT\s+the score is 3/)
    expect(wrong.reranker.disposed).toBe(1)
  })

  it.each([
    ['linux', ['debian'], 'bookworm', 'apt-get install -t bookworm-backports mesa-vulkan-drivers'],
    ['linux', ['ubuntu', 'debian'], 'noble', 'apt-get install mesa-vulkan-drivers libvulkan1'],
    ['linux', ['rocky', 'rhel'], '', 'dnf install mesa-vulkan-drivers'],
    ['linux', ['arch'], '', 'pacman -S vulkan-swrast'],
    ['linux', ['nixos'], '', 'Mesa 23 or later'],
    ['darwin', [], '', 'Metal'],
    ['win32', [], '', 'Direct3D 12'],
  ])('has advice for %s %j', (platform, distributions, codename, advice) => {
    expect(noAdapter({ platform, distributions, codename }).join('\n')).toContain(advice)
  })
})
