import { describe, expect, it } from 'vitest'
import { KernelChoices } from '../../src/gpu/choices.ts'

const kernels: [{ name: string }, ...{ name: string }[]] = [
  { name: 'one' },
  { name: 'two' },
  { name: 'three' },
]

describe('KernelChoices', () => {
  it('takes the first unless one is asked for or was tuned', () => {
    expect(new KernelChoices({}, {}).pick('linear', kernels).name).toBe('one')
    expect(new KernelChoices({}, { linear: 'two' }).pick('linear', kernels).name).toBe('two')
    const both = new KernelChoices({ linear: 'three' }, { linear: 'two' })
    expect(both.pick('linear', kernels).name).toBe('three')
    expect(both.used).toEqual({ linear: 'three' })
  })

  it('takes no notice of a tuned kernel that there is no more', () => {
    expect(new KernelChoices({}, { linear: 'gone' }).pick('linear', kernels).name).toBe('one')
  })

  it('refuses a kernel that there is not, naming those that there are', () => {
    const choices = new KernelChoices({ linear: 'four' }, {})
    expect(() => choices.pick('linear', kernels)).toThrow(
      'kernels: found "four" for linear; here it may be "one", "two", "three"',
    )
  })

  it('refuses an operation that no one uses', () => {
    const choices = new KernelChoices({ linaer: 'one' }, {})
    choices.pick('linear', kernels)
    expect(() => choices.checkAsked()).toThrow(
      'kernels: "linaer" is no operation of this model that has several kernels; those are linear',
    )
  })
})
