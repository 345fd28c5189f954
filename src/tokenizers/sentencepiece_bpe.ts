import type { AddedToken } from './added_tokens.ts'
import { Bpe, type MergeLists } from './bpe.ts'
import { unitsOf } from './buffers.ts'
import { TokenizerError } from './errors.ts'
import type { Field } from './field.ts'
import { prepend, replaceUnit } from './normalizers.ts'
import { hashOf, PieceTable } from './piece_table.ts'
import type { Parts } from './pipeline.ts'
import type { Template } from './post_processors.ts'
import { metaspace, split } from './pre_tokenizers.ts'
import type { SentencePieceModel } from './sentencepiece.ts'
import { classOf, type SpecialName, specialToken } from './special_names.ts'

const MARK = '▁'

/**
 * The tokenizer that transformers 4 makes of a SentencePiece model of type BPE for a `LlamaTokenizer` or a
 * `GemmaTokenizer` (`LlamaConverter` and `GemmaConvert` in convert_slow_tokenizer.py, 4.46).
 */
export function convertSentencePieceBpe(
  model: SentencePieceModel,
  config: Field,
  where: string,
): Parts {
  const fault = (message: string): never => {
    throw new TokenizerError('tokenizer-invalid', `${where}: ${message}`)
  }
  const isGemma = classOf(config) === 'GemmaTokenizer'
  const named = (name: SpecialName) => specialToken(name, config, undefined)
  const pieces = isGemma ? gemmaPieces(model, named) : model.pieces
  const table = new PieceTable(pieces)
  const twice = pieces.findIndex((piece, id) => table.idOf(piece) !== id)
  if (twice >= 0) fault(`piece ${twice}, ${JSON.stringify(pieces[twice])}, is there twice`)
  const unkId = table.idOf(model.unkPiece)
  if (unkId < 0) fault(`its unknown piece ${JSON.stringify(model.unkPiece)} is none of its pieces`)
  const scores = model.scores.map((score, id) => (id < 3 ? 0 : score))
  const bpe = new Bpe(pieces, table, mergesOf(pieces, scores, table), {
    unkId,
    fuseUnk: true,
    byteFallback: true,
    ignoreMerges: false,
  })

  const addedTokens = addedTokensOf(model, config, table, pieces.length)
  const idOf = (name: 'bos_token' | 'eos_token'): number => {
    const token = named(name)
    const id = addedTokens.find(({ content }) => content === token)?.id
    return id ?? config.at(name).fail(`a token, since it is to be added to a text`)
  }
  const flag = (name: string, otherwise: boolean) =>
    config.at(name).absent ? otherwise : config.at(name).boolean()
  const bos = flag('add_bos_token', true) ? [idOf('bos_token')] : []
  const eos = flag('add_eos_token', false) ? [idOf('eos_token')] : []
  const single: Template = [...bos, 'A', ...eos]

  // Null is no here, and yes for `legacy`.
  const prefix =
    config.at('add_prefix_space').value === undefined || flag('add_prefix_space', false)
  const marks = replaceUnit(32, MARK.charCodeAt(0))
  const steps: Pick<Parts, 'normalizers' | 'preTokenizers'> = isGemma
    ? { normalizers: [marks], preTokenizers: [split(' ', 'MergedWithPrevious', false)] }
    : flag('legacy', true)
      ? { normalizers: prefix ? [prepend(MARK), marks] : [marks], preTokenizers: [] }
      : { normalizers: [], preTokenizers: [metaspace(MARK, prefix ? 'first' : 'never', false)] }
  return {
    ...steps,
    addedTokens,
    model: bpe,
    templates: { single, pair: [...single, ...bos, 'B', ...eos] },
  }
}

/** The first three pieces by their names, and the tab itself in place of its byte. */
function gemmaPieces(
  model: SentencePieceModel,
  named: (name: SpecialName) => string | undefined,
): string[] {
  const pieces = model.pieces.map((piece) => (piece === '<0x09>' ? '\t' : piece))
  const names = [named('pad_token'), named('eos_token'), named('bos_token')]
  for (const [id, name] of names.entries()) if (id < pieces.length) pieces[id] = name ?? pieces[id]!
  return pieces
}

/**
 * The merges that make a vocabulary with these scores: every way to put a piece together from two others, the
 * greatest score first, of equal ones the longer sides (in code points), then in the order of the pieces.
 */
function mergesOf(
  pieces: readonly string[],
  scores: readonly number[],
  table: PieceTable,
): MergeLists {
  const merges: { left: number; right: number; made: number; leftSize: number; size: number }[] = []
  for (let made = 0; made < pieces.length; made++) {
    const units = unitsOf(pieces[made]!)
    const size = Array.from(pieces[made]!).length
    let leftSize = 0
    for (let middle = 1; middle < units.length; middle++) {
      if ((units[middle]! & 0xfc00) === 0xdc00) continue
      leftSize++
      const left = table.find(units, 0, middle, hashOf(units, 0, middle))
      if (left < 0) continue
      const right = table.find(units, middle, units.length, hashOf(units, middle, units.length))
      if (right >= 0) merges.push({ left, right, made, leftSize, size })
    }
  }
  merges.sort(
    (a, b) =>
      scores[b.made]! - scores[a.made]! ||
      b.leftSize - a.leftSize ||
      b.size - a.size ||
      a.made - b.made,
  )
  return {
    left: Int32Array.from(merges, ({ left }) => left),
    right: Int32Array.from(merges, ({ right }) => right),
    made: Int32Array.from(merges, ({ made }) => made),
  }
}

/**
 * Control and user-defined pieces, what `added_tokens_decoder` lists (and tells the flags of), and the special
 * tokens that are named; what is no piece gets the next free id.
 */
function addedTokensOf(
  model: SentencePieceModel,
  config: Field,
  table: PieceTable,
  size: number,
): AddedToken[] {
  const added = new Map<string, AddedToken>()
  let next = size
  const add = (content: string, flags: Partial<AddedToken>): number => {
    const piece = table.idOf(content)
    const id = added.get(content)?.id ?? (piece < 0 ? next++ : piece)
    added.set(content, {
      id,
      content,
      singleWord: false,
      lstrip: false,
      rstrip: false,
      normalized: false,
      special: true,
      ...flags,
    })
    return id
  }
  model.pieces.forEach((piece, id) => {
    if (model.types[id] === 3 || model.types[id] === 4)
      add(piece, { special: model.types[id] === 3 })
  })
  const decoder = config.at('added_tokens_decoder')
  const told = decoder.absent ? [] : Object.keys(decoder.object())
  for (const key of told.sort((a, b) => Number(a) - Number(b))) {
    const entry = decoder.at(key)
    const flag = (name: string) => !entry.at(name).absent && entry.at(name).boolean()
    const id = add(entry.at('content').string(), {
      singleWord: flag('single_word'),
      lstrip: flag('lstrip'),
      rstrip: flag('rstrip'),
      normalized: entry.at('normalized').absent || flag('normalized'),
      special: flag('special'),
    })
    if (String(id) !== key) entry.fail(`under ${id}, the id of its content`)
  }
  const names = ['bos_token', 'eos_token', 'unk_token', 'sep_token', 'pad_token'] as const
  for (const name of [...names, 'cls_token', 'mask_token'] as const) {
    const token = specialToken(name, config, undefined)
    if (token !== undefined && !added.has(token)) add(token, {})
  }
  const others = config.at('additional_special_tokens')
  for (const other of others.absent ? [] : others.items()) {
    const token = typeof other.value === 'string' ? other.string() : other.at('content').string()
    if (!added.has(token)) add(token, {})
  }
  return [...added.values()]
}
