/**
 * Keeps the `k` best of many items in a heap whose root is the worst of them.
 *
 * @param isBetter a strict order without ties
 */
export class Best<Item> {
  readonly #heap: Item[] = []

  constructor(
    readonly k: number,
    readonly isBetter: (a: Item, b: Item) => boolean,
  ) {}

  /** The worst of those kept, once there are `k`. */
  get worst(): Item | undefined {
    return this.#heap.length < this.k ? undefined : this.#heap[0]
  }

  add(item: Item): void {
    const heap = this.#heap
    if (heap.length < this.k) {
      heap.push(item)
      this.#rise(heap.length - 1)
    } else if (this.isBetter(item, heap[0] as Item)) {
      heap[0] = item
      this.#sink()
    }
  }

  /** All that are kept, best first. */
  sorted(): Item[] {
    return this.#heap.toSorted((a, b) => (this.isBetter(a, b) ? -1 : 1))
  }

  #rise(from: number): void {
    for (let at = from; at > 0; ) {
      const parent = (at - 1) >> 1
      if (!this.#swapIfWorse(at, parent)) return
      at = parent
    }
  }

  #sink(): void {
    const { length } = this.#heap
    for (let at = 0; ; ) {
      let child = 2 * at + 1
      if (child >= length) return
      const other = child + 1
      if (other < length && this.isBetter(this.#heap[child] as Item, this.#heap[other] as Item)) {
        child = other
      }
      if (!this.#swapIfWorse(child, at)) return
      at = child
    }
  }

  /** Swaps a child with its parent where the child is worse. */
  #swapIfWorse(child: number, parent: number): boolean {
    const heap = this.#heap
    const [a, b] = [heap[child] as Item, heap[parent] as Item]
    if (!this.isBetter(b, a)) return false
    heap[child] = b
    heap[parent] = a
    return true
  }
}
