// Reads what null_device_layer.c wrote of a pipeline: statistics, and from the assembly the loop that does the arithmetic.

/** Classes of instructions, by the first rule that a mnemonic matches: of AMD (ACO), then of NVIDIA (NAK, nvdisasm), then of Intel. */
const rules: readonly (readonly [pattern: RegExp, kind: string, lanes?: number])[] = [
  [/^slm MsgDesc/, 'lds'],
  [/^ugm MsgDesc.*\b(ss|bss)\b/, 'scratch'],
  [/^\w+ MsgDesc/, 'memory'],
  [/^(v_wmma|v_swmmac|v_mfma|HMMA|IMMA|HGMMA|hmma|imma|dpas)/, 'matrix'],
  [/^v_fma_mix\w* .*, 1\.0, (neg\(0\)|0)/, 'convert'],
  [/^v_dual_fm\w+.*:: *v_dual_fm/, 'fma', 2],
  [/^v_dual_fm/, 'fma', 1],
  [/^(v_pk_fma_f16|v_dot2|HFMA2|hfma2)/, 'fma', 2],
  [/^(v_fma|v_fmac|v_mad_f|v_mac_f|v_mad_mix|FFMA|ffma|HFMA|mad\(|mad )/, 'fma', 1],
  [
    /^(v_pk_mul_f16|v_pk_add_f16|v_mul_f|v_add_f|v_sub_f|FMUL|FADD|HMUL2|HADD2|fmul|fadd|hmul2|hadd2|mul\(\d+\).*[0-9>]F\b)/,
    'float',
  ],
  [/^(ds_bpermute|ds_permute|ds_swizzle|SHFL|shfl|movm)/, 'shuffle'],
  [/^(ds_|LDS|STS|LDSM|ldsm|(?:ld|st)\.shared)/, 'lds'],
  [/^(scratch_|LDL|STL|(?:ld|st)\.local)/, 'scratch'],
  [/^(buffer_|global_|flat_|LDG|STG|LD\b|ST\b|ld\.|st\.|send)/, 'memory'],
  [/^(s_load|s_buffer_load|LDC|ULDC|LDCU|ldc)/, 'scalar memory'],
  [
    /^(s_waitcnt|s_wait_|s_delay_alu|s_nop|s_clause|s_sched|s_set_inst|NOP|DEPBAR|nop|membar|MEMBAR|sync )/,
    'wait',
  ],
  [/^(s_barrier|BAR|bar\.)/, 'barrier'],
  [
    /^(s_c?branch|s_call|s_setpc|BRA|BSSY|BSYNC|BREAK|EXIT|WARPSYNC|bra|bssy|bsync|bclear|exit|(?:if|else|endif|while|break|cont|halt)\()/,
    'branch',
  ],
  [/^(v_cvt|F2F|I2F|F2I|f2f|i2f|f2i|HADD2\.F32)/, 'convert'],
  [/^v_/, 'vector'],
  [/^s_/, 'scalar'],
  [/./, 'vector'],
]

/**
 * Cycles of a vector instruction of RDNA3 in 64 lanes, by the first pattern that it matches: quarter rate, then what is issued
 * for both halves of the lanes at once, then the rest.
 */
const costs: readonly (readonly [pattern: RegExp, cycles: number])[] = [
  [/^v_(mul_lo|mul_hi|mad_[ui]64|exp|log|rcp|rsq|sqrt|sin|cos)_/, 8],
  [/^v_(fma|fmac|fmaak|fmamk|mul|add|sub|subrev|max|min)_f|^v_(fma_mix|mov_b32|pk_|cndmask)/, 1],
  [/./, 2],
]

/** Words of 32 bits that a lane moves. */
function words(text: string): number {
  const intel = /MsgDesc.*\bV(\d+)\b/.exec(text)
  if (intel) return Number(intel[1])
  const wide =
    /_(?:load|store|read|write)(2?)(?:st64)?_(?:[a-z]*?)(\d+)/.exec(text) ??
    /^(?:LD|ST|ld|st)[.\w]*?()\.([bUS]?(?:128|64|16|8))\b/.exec(text)
  const bits = wide ? Number((wide[2] as string).replace(/\D/g, '')) : 32
  return ((wide?.[1] ? 2 : 1) * Math.max(bits, 32)) / 32
}

function classify(text: string): { kind: string; lanes: number } {
  const [, kind = 'vector', lanes = 0] = rules.find(([pattern]) => pattern.test(text)) ?? []
  return { kind, lanes }
}

/** An instruction without its encoding, its predicate and, of NAK, what it writes. */
const plain = (line: string): string =>
  line
    .replace(/\/\*.*?\*\//g, '')
    .replace(/;.*$/, '')
    .replace(/\/\/.*$/, '')
    .replace(/^[\s{}]*(?:@!?[uU]?[pP]\w+\s+|\([+-]f[\w.]+\)\s*)?/, '')
    .replace(/^[a-z][\w. ]*= (?=[a-z])/, '')
    .trim()

/** Instructions that are entered at the first alone, and where they jump to. */
interface Block {
  readonly label: string
  readonly lines: string[]
  readonly targets: string[]
  /** Whether the next block follows. */
  falls: boolean
}

const blockAt = (label: string): Block => ({ label, lines: [], targets: [], falls: true })

function readBlocks(code: string): Block[] {
  const blocks = [blockAt('start')]
  for (const raw of code.split('\n')) {
    const text = plain(raw)
    const block = blocks.at(-1) as Block
    const label = /^(?:BB|\.L_x_|LABEL|block\S* \d+ L)(\d+)\b.*[:{]/.exec(text)?.[1]
    const times = /^\(then repeated (\d+) times\)/.exec(text)?.[1]
    if (label) blocks.push(blockAt(label))
    else if (times) block.lines.push(...Array(Number(times)).fill(block.lines.at(-1) ?? 's_nop'))
    else if (/^[a-zA-Z]/.test(text) && !/^sends?c?\(/.test(text)) {
      // Intel's sends have their kind on the next line.
      block.lines.push(text)
      const target = /^(?:s_c?branch\w*|BRA\S*|bra|while)\b.*?(?:BB|\.L_x_|LABEL|L)(\d+)/.exec(
        text,
      )?.[1]
      if (target !== undefined) {
        block.targets.push(target)
        block.falls =
          !(/^s_branch|^bra pT/.test(text) || /^BRA\b(?!.*U?P\d)/.test(text)) ||
          /^\W*@/.test(raw.replace(/\/\*.*?\*\//g, ''))
      } else if (/^(s_endpgm|EXIT|exit)\b/.test(text) && !/@/.test(raw)) block.falls = false
    }
  }
  return blocks
}

/** Loops: the blocks from which a jump back is reached without passing where it jumps to. */
function findLoops(blocks: readonly Block[]): Set<number>[] {
  const place = new Map(blocks.map(({ label }, i) => [label, i]))
  const next = blocks.map(({ targets, falls }, i) => {
    const found = targets
      .map((target) => place.get(target))
      .filter((at) => at !== undefined) as number[]
    return falls && i + 1 < blocks.length ? [...found, i + 1] : found
  })
  const before = blocks.map((): number[] => [])
  for (const [i, targets] of next.entries()) for (const target of targets) before[target]!.push(i)
  // Jumps to a block that is being visited go back.
  const bodies = new Map<number, Set<number>>()
  const state = blocks.map(() => 0)
  const stack: [at: number, tried: number][] = [[0, 0]]
  state[0] = 1
  while (stack.length > 0) {
    const top = stack.at(-1) as [number, number]
    const target = next[top[0]]![top[1]++]
    if (target === undefined) {
      state[top[0]] = 2
      stack.pop()
    } else if (state[target] === 0) {
      state[target] = 1
      stack.push([target, 0])
    } else if (state[target] === 1) {
      const body = bodies.get(target) ?? new Set([target])
      const todo = [top[0]]
      for (let at = todo.pop(); at !== undefined; at = todo.pop()) {
        if (body.has(at)) continue
        body.add(at)
        todo.push(...before[at]!)
      }
      bodies.set(target, body)
    }
  }
  return [...bodies.values()]
}

/** Instructions by their kinds, and what they move. */
export interface Counts extends Record<string, unknown> {
  all: number
  fma: number
  /** Multiply-adds of a lane: two for an instruction that does two. */
  fmaLanes: number
  ldsWords: number
  memoryWords: number
  /** Of RDNA3's vector unit, for 64 lanes, by the costs of ACO's model. */
  cycles: number
  /** Loads and stores by their names. */
  readonly widths: Record<string, number>
  readonly isAmd: boolean
}

const ofKind = (counts: Counts, kind: string): number => (counts[kind] as number | undefined) ?? 0

function count(lines: readonly string[]): Counts {
  const counts: Counts = {
    all: 0,
    fma: 0,
    fmaLanes: 0,
    ldsWords: 0,
    memoryWords: 0,
    cycles: 0,
    widths: {},
    isAmd: lines.some((line) => /^[vs]_/.test(line)),
  }
  for (const text of lines) {
    const { kind, lanes } = classify(text)
    counts[kind] = ofKind(counts, kind) + 1
    counts.all++
    counts.fmaLanes += lanes
    counts.cycles += /^v_/.test(text)
      ? (costs.find(([pattern]) => pattern.test(text))?.[1] ?? 0)
      : 0
    if (kind === 'lds') counts.ldsWords += words(text)
    if (kind === 'memory') counts.memoryWords += words(text)
    if (kind === 'lds' || kind === 'memory' || kind === 'scratch') {
      const [name = ''] = text.split(/[\s(]/)
      counts.widths[name] = (counts.widths[name] ?? 0) + 1
    }
  }
  return counts
}

/** What is known of a compiled pipeline. */
export interface Analysis {
  /** As the driver names them. */
  readonly statistics: Readonly<Record<string, number>>
  /** Of the innermost loop with the most arithmetic. */
  readonly hot?: Counts | undefined
  readonly bounds?: Bounds | undefined
  /** All innermost loops. */
  readonly inner: readonly (Counts & Bounds)[]
  readonly whole: Counts
}

/** Statistics and code of a pipeline, as null_device_layer.c writes them. */
export function analyse(text: string): Analysis {
  const statistics = Object.fromEntries<number>(
    [...text.matchAll(/^statistic (.*?) = (.*)$/gm)].map(([, name, value]) => [
      name as string,
      Number(value),
    ]),
  )
  const codes = [...text.matchAll(/^code (.*)\n([\s\S]*?)\nend code$/gm)]
  const code =
    (codes.find(([, name = '']) => /assembly|SASS|asm|disasm/i.test(name)) ?? codes.at(-1))?.[2] ??
    ''
  return { statistics, ...analyseCode(code) }
}

/** The same of the code alone. */
export function analyseCode(code: string): Omit<Analysis, 'statistics'> {
  const blocks = readBlocks(code)
  const loops = findLoops(blocks).map((body) => {
    const lines = [...body].sort((a, b) => a - b).flatMap((at) => blocks[at]!.lines)
    return { body, lines, counts: count(lines) }
  })
  type Loop = (typeof loops)[number]
  const inside = (a: Loop, b: Loop) =>
    a.body.size < b.body.size && [...a.body].every((at) => b.body.has(at))
  const inner = loops.filter(
    (loop) => !loops.some((other) => inside(other, loop) && work(other.counts) > 0),
  )
  const hot = inner.reduce<Loop | undefined>(
    (a, b) => (!a || work(b.counts) > work(a.counts) ? b : a),
    undefined,
  )
  const whole = count(blocks.flatMap(({ lines }) => lines))
  return {
    whole,
    hot: hot?.counts,
    bounds: hot && bounds(hot.counts),
    inner: inner.map(({ counts }) => ({ ...counts, ...bounds(counts) })),
  }
}

const work = (counts: Counts): number => counts.fmaLanes + 512 * ofKind(counts, 'matrix')

/**
 * Upper bounds on the share of the peak of plain f32 FMAs (1 = every issue slot is an FMA):
 * issue: where a scheduler issues one instruction a cycle and FMAs are full rate (NVIDIA: 4 schedulers x 32 lanes);
 * vector: where scalar, memory and branch instructions issue beside vector ones from other waves (AMD);
 * lds: 32 words a cycle of workgroup memory beside 128 FMAs (NVIDIA's SM, AMD's CU with dual issue). Words of one address count again.
 * Packed f16 counts twice, so that it may exceed 1.
 * matrix: of the matrix units' peak, where a 16x16x16 product holds AMD's vector unit for 32 cycles, and an m16n8k16 one
 * NVIDIA's tensor core for 8 while other instructions issue.
 */
export interface Bounds {
  readonly issue: number
  readonly vector: number
  readonly lds?: number | undefined
  readonly matrix?: number | undefined
}

function bounds(counts: Counts): Bounds {
  const { all, fma, fmaLanes, ldsWords, isAmd } = counts
  const matrix = ofKind(counts, 'matrix')
  const wait = ofKind(counts, 'wait')
  const vector = ['fma', 'float', 'convert', 'vector', 'matrix'].reduce(
    (sum, kind) => sum + ofKind(counts, kind),
    0,
  )
  return {
    issue: fmaLanes / (all - wait),
    vector: fmaLanes / vector,
    lds: ldsWords && fma ? fma / (4 * ldsWords) : undefined,
    matrix: matrix
      ? isAmd
        ? (32 * matrix) / (32 * matrix + vector - matrix)
        : Math.min(1, (8 * matrix) / (all - wait))
      : undefined,
  }
}
