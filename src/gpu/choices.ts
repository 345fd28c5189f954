import { GpuError } from './errors.ts'

/** Names of kernels by operation, such as `{ 'linear f16': 'linear_tiled 64x64' }`. */
export type KernelNames = Readonly<Record<string, string>>

/** Which of several kernels each operation uses on a device. */
export class KernelChoices {
  readonly #used = new Map<string, string>()
  #tuned: KernelNames
  /** Why there are no kernels of subgroup matrices, where a check found these wrong. */
  leftOut: string | undefined

  /**
   * @param asked what the caller wants
   * @param tuned what was measured to be the fastest on this adapter
   */
  constructor(
    readonly asked: KernelNames,
    tuned: KernelNames,
  ) {
    this.#tuned = tuned
  }

  /** What was measured to be the fastest on this adapter. */
  get tuned(): KernelNames {
    return this.#tuned
  }

  /** Takes over what was measured; for operations that nothing has picked a kernel for yet. */
  learn(tuned: KernelNames): void {
    this.#tuned = { ...this.#tuned, ...tuned }
  }

  /** The kernel asked for, else the tuned one, which may be kept under a name of its own, else the first. */
  pick<K extends { readonly name: string }>(
    operation: string,
    candidates: readonly [K, ...K[]],
    tunedAs: string = operation,
  ): K {
    const named = (name: string | undefined) => candidates.find((kernel) => kernel.name === name)
    const asked = this.asked[operation]
    const kernel = named(asked ?? this.tuned[tunedAs] ?? this.tuned[operation])
    if (!kernel && asked !== undefined) {
      const names = candidates.map(({ name }) => JSON.stringify(name)).join(', ')
      throw new GpuError(
        'kernel-unknown',
        `kernels: found ${JSON.stringify(asked)} for ${operation}; here it may be ${names}${this.leftOut === undefined ? '' : `. ${this.leftOut}`}`,
      )
    }
    const picked = kernel ?? candidates[0]
    this.#used.set(operation, picked.name)
    return picked
  }

  /** The kernel of each operation that had a choice so far. */
  get used(): KernelNames {
    return Object.fromEntries([...this.#used].sort(([a], [b]) => (a < b ? -1 : 1)))
  }

  /** What a user should know who has activations of this dtype. */
  warnings(activations: 'f32' | 'f16'): string[] {
    return activations === 'f16' && this.leftOut !== undefined ? [this.leftOut] : []
  }

  /** Throws where a kernel was asked for an operation that is not among those in use. */
  checkAsked(): void {
    const unknown = Object.keys(this.asked).find((operation) => !this.#used.has(operation))
    if (unknown === undefined) return
    throw new GpuError(
      'kernel-unknown',
      `kernels: ${JSON.stringify(unknown)} is no operation of this model that has several kernels; those are ${Object.keys(this.used).join(', ')}`,
    )
  }
}
