import type { CharSet } from './char-sets.ts'
import { TokenizerError } from './errors.ts'
import type { Field } from './field.ts'
import { type Find, findText } from './find.ts'
import { type Anchor, isNullable, parseRegex, type Regex, regexSyntax } from './regex-parser.ts'

// What no sensible expression needs: GPT-4o's has 78 nodes, 78 states and 28 kinds of characters.
const maxSource = 4096
const maxNodes = 256
const maxStates = 512
const maxKinds = 64

/**
 * A node of the automaton (Thompson 1968): it consumes a character of a set; or continues with one of several nodes, the first
 * of which is preferred; or continues if the text that follows matches, or does not.
 */
type Node =
  | { readonly set: number; readonly next: number }
  | { readonly choices: readonly number[] }
  | { readonly look: number; readonly negative: boolean; readonly next: number }

// Instead of a node: the end of the expression, or no match.
const accept = -1
const none = -2

const unsupported = (what: string): TokenizerError =>
  new TokenizerError('tokenizer-unsupported', what)

/**
 * A regular expression that runs in linear time on every text, with the matches of a backtracking engine: the leftmost match,
 * by the preferred alternatives. It makes two passes (a bimachine, Schützenberger 1961). The first one runs backwards and
 * finds for each offset the nodes from which the end of the expression can be reached; these sets are the states of a
 * deterministic automaton. The second one runs forwards and follows the preferred of these nodes.
 */
class LinearRegex {
  /** The kind of each code point: those of a kind are in the same sets. */
  readonly #kinds: Uint8Array
  readonly #kindCount: number
  /** The state at a character, by the state after it and the kind of the character. State 0 is that of the text's end. */
  readonly #before: Uint16Array
  readonly #stateCount: number
  /**
   * The node that consumes the next character, plus 1, by the last node, plus 1 (0 at the start), and state; 0 is the end of
   * the expression, -1 no match.
   */
  readonly #after: Int16Array
  readonly #anchor: Anchor
  #states = new Uint16Array(1024)

  /** Errors: `tokenizer-unsupported`, for an expression that is not supported or too large. */
  constructor(source: string) {
    if (source.length > maxSource) throw unsupported(`over ${maxSource} code units`)
    const { regex, anchor } = parseRegex(source)
    this.#anchor = anchor
    if (isNullable(regex)) throw unsupported('an expression that may match nothing')
    const program = new Program(regex)
    const { kinds, members } = kindsOf(program.sets)
    const { before, live } = statesOf(program, members)
    this.#kinds = kinds
    this.#kindCount = members.length
    this.#before = before
    this.#stateCount = live.length
    this.#after = program.choices(live)
  }

  /** Appends to `found` the start and end of every match in `data[start]` to `data[end - 1]`. */
  find(data: Uint16Array, start: number, end: number, found: number[]): void {
    this.#look(data, start, end)
    const states = this.#states
    const after = this.#after
    const stateCount = this.#stateCount
    const anchor = this.#anchor
    for (let at = start; at < end; ) {
      if (anchor !== '' && at > start) {
        if (anchor === 'text') return
        while (at < end && data[at - 1] !== 10) at++
        if (at === end) return
      }
      const first = at
      let node = after[states[at - start]!]!
      while (node > 0) {
        at += (data[at]! & 0xfc00) === 0xd800 ? 2 : 1
        node = after[node * stateCount + states[at - start]!]!
      }
      if (at > first) found.push(first, at)
      else at += (data[at]! & 0xfc00) === 0xd800 ? 2 : 1
    }
  }

  /** The first pass. */
  #look(data: Uint16Array, start: number, end: number): void {
    if (this.#states.length <= end - start)
      this.#states = new Uint16Array(2 ** Math.ceil(Math.log2(end - start + 1)))
    const states = this.#states
    const kinds = this.#kinds
    const before = this.#before
    const kindCount = this.#kindCount
    let state = 0
    states[end - start] = 0
    for (let at = end - 1; at >= start; at--) {
      let point = data[at]!
      if ((point & 0xfc00) === 0xdc00)
        point = 0x10000 + ((data[--at]! & 0x3ff) << 10) + (point & 0x3ff)
      state = before[state * kindCount + kinds[point]!]!
      states[at - start] = state
    }
  }
}

/** Finds the matches of an expression. Errors: `tokenizer-unsupported`. */
export function findRegex(source: string): Find {
  const regex = new LinearRegex(source)
  return (data, start, end, found) => regex.find(data, start, end, found)
}

/** The `pattern` of a Split or a Replace: `{"String": literal}` or `{"Regex": expression}`. */
export function parseFind(field: Field): Find {
  const literal = field.at('String')
  if (!literal.absent) {
    if (literal.string() === '') literal.fail('a string that is not empty')
    return findText(literal.string())
  }
  const expression = field.at('Regex')
  if (expression.absent) return field.unsupported('{"String": literal}, {"Regex": expression}')
  const source = expression.string()
  try {
    return findRegex(source)
  } catch (fault) {
    if (!(fault instanceof TokenizerError)) throw fault
    return expression.unsupported(`${regexSyntax}; not ${fault.message}`)
  }
}

/** The nodes of an expression. */
class Program {
  readonly nodes: Node[] = []
  readonly sets: CharSet[] = []
  readonly #start: number
  readonly #setIds = new Map<string, number>()
  /** What {@link choose} returned for the last `live`. */
  #live: ReadonlySet<number> | undefined
  readonly #chosen = new Map<number, number>()

  constructor(regex: Regex) {
    this.#start = this.#compile(regex, accept)
  }

  #add(node: Node): number {
    if (this.nodes.length === maxNodes) throw unsupported(`an expression of over ${maxNodes} nodes`)
    return this.nodes.push(node) - 1
  }

  /** The first node of an expression that `next` follows. */
  #compile(regex: Regex, next: number): number {
    switch (regex.kind) {
      case 'set':
        return this.#add({ set: this.#setId(regex.set), next })
      case 'sequence':
        return regex.parts.reduceRight((after, part) => this.#compile(part, after), next)
      case 'either':
        return this.#add({ choices: regex.parts.map((part) => this.#compile(part, next)) })
      case 'look':
        return this.#add({
          look: this.#compile(regex.part, accept),
          negative: regex.negative,
          next,
        })
      case 'repeat':
        return this.#repeat(regex, next)
    }
  }

  #repeat({ part, min, max, lazy }: Regex & { kind: 'repeat' }, next: number): number {
    const choice = (more: number): number[] => (lazy ? [next, more] : [more, next])
    let first = next
    if (max === Infinity) {
      const choices: number[] = []
      first = this.#add({ choices })
      choices.push(...choice(this.#compile(part, first)))
    } else
      for (let i = min; i < max; i++)
        first = this.#add({ choices: choice(this.#compile(part, first)) })
    for (let i = 0; i < min; i++) first = this.#compile(part, first)
    return first
  }

  #setId(set: CharSet): number {
    const key = set.join()
    const id = this.#setIds.get(key) ?? this.sets.push(set) - 1
    this.#setIds.set(key, id)
    return id
  }

  /**
   * The node that consumes the next character when the match continues at `node`, or {@link accept} or {@link none}. `live` are
   * the nodes that can consume it and then reach the end.
   */
  choose(node: number, live: ReadonlySet<number>): number {
    if (this.#live !== live) this.#chosen.clear()
    this.#live = live
    const known = this.#chosen.get(node)
    if (known !== undefined) return known
    const chosen = this.#choose(node, live)
    this.#chosen.set(node, chosen)
    return chosen
  }

  #choose(node: number, live: ReadonlySet<number>): number {
    const found = this.nodes[node]
    if (!found) return accept
    if ('set' in found) return live.has(node) ? node : none
    if ('look' in found) {
      const isHere = this.choose(found.look, live) !== none
      return isHere === found.negative ? none : this.choose(found.next, live)
    }
    for (const choice of found.choices) {
      const chosen = this.choose(choice, live)
      if (chosen !== none) return chosen
    }
    return none
  }

  /** What {@link choose} returns at the start and after each node, for each state, plus 1. */
  choices(states: readonly ReadonlySet<number>[]): Int16Array {
    const starts = [this.#start, ...this.nodes.map((node) => ('set' in node ? node.next : accept))]
    const choices = new Int16Array(starts.length * states.length)
    for (const [state, live] of states.entries())
      for (const [i, start] of starts.entries())
        choices[i * states.length + state] = this.choose(start, live) + 1
    return choices
  }
}

/** The kinds of code points that sets tell apart, and for each kind whether it is in each set. */
function kindsOf(sets: readonly CharSet[]): { kinds: Uint8Array; members: boolean[][] } {
  const starts = new Set([0])
  for (const set of sets)
    for (let i = 0; i < set.length; i += 2) starts.add(set[i]!).add(set[i + 1]! + 1)
  const bounds = Float64Array.from(starts).sort()
  // Each set parts the kinds that those before it make.
  const kindOf = new Uint8Array(bounds.length)
  let members: boolean[][] = [[]]
  for (const set of sets) {
    const parted: boolean[][] = []
    const ids = new Int8Array(2 * maxKinds).fill(-1)
    for (let i = 0, range = 0; i < bounds.length; i++) {
      while (range < set.length && set[range + 1]! < bounds[i]!) range += 2
      const isInside = range < set.length && set[range]! <= bounds[i]!
      const key = 2 * kindOf[i]! + (isInside ? 1 : 0)
      if (ids[key]! < 0) ids[key] = parted.push([...members[kindOf[i]!]!, isInside]) - 1
      kindOf[i] = ids[key]!
    }
    if (parted.length > maxKinds)
      throw unsupported(`an expression with over ${maxKinds} kinds of characters`)
    members = parted
  }
  const kinds = new Uint8Array(0x110000)
  for (const [i, kind] of kindOf.entries()) kinds.fill(kind, bounds[i], bounds[i + 1])
  return { kinds, members }
}

/** The states of the first pass, each the nodes that can consume the next character and then reach the end; and its table. */
function statesOf(program: Program, kinds: readonly boolean[][]) {
  const takers = program.nodes.flatMap((node, id) => ('set' in node ? [{ ...node, id }] : []))
  const live: ReadonlySet<number>[] = [new Set()]
  const ids = new Map([['', 0]])
  const before: number[] = []
  for (let state = 0; state < live.length; state++) {
    const open = takers.filter(({ next }) => program.choose(next, live[state]!) !== none)
    for (const kind of kinds) {
      const nodes = open.filter(({ set }) => kind[set]).map(({ id }) => id)
      const key = nodes.join()
      const id = ids.get(key) ?? live.push(new Set(nodes)) - 1
      if (id === maxStates) throw unsupported(`an expression with over ${maxStates} states`)
      ids.set(key, id)
      before.push(id)
    }
  }
  return { before: Uint16Array.from(before), live }
}
