import { Bpe, type MergeLists } from './bpe.ts'
import { unitsOf } from './buffers.ts'
import { TokenizerError } from './errors.ts'
import { hashUnits } from './hashing.ts'
import { prepend, replaceUnit } from './normalizers.ts'
import { PieceTable } from './piece-table.ts'
import type { Converted } from './pipeline.ts'
import { plainTemplates } from './post-processors.ts'
import { metaspace, split } from './pre-tokenizers.ts'
import type { SentencePieceModel } from './sentencepiece-model.ts'
import type { Settings } from './settings.ts'

const spaceMark = '▁'

/**
 * The tokenizer that transformers 4 makes of a SentencePiece model of type BPE for a `LlamaTokenizer` or a
 * `GemmaTokenizer` (`LlamaConverter` and `GemmaConvert` in convert_slow_tokenizer.py, 4.46).
 */
export function convertSentencePieceBpe(
  model: SentencePieceModel,
  settings: Settings,
  where: string,
): Converted {
  const fault = (message: string): never => {
    throw new TokenizerError('tokenizer-invalid', `${where}: ${message}`)
  }
  const isGemma = settings.className === 'GemmaTokenizer'
  const pieces = isGemma ? gemmaPieces(model, settings) : model.pieces
  const table = new PieceTable(pieces)
  const twice = pieces.findIndex((piece, id) => table.idOf(piece) !== id)
  if (twice >= 0) fault(`piece ${twice}, ${JSON.stringify(pieces[twice])}, is there twice`)
  if (table.idOf(model.unkPiece) < 0)
    fault(`its unknown piece ${JSON.stringify(model.unkPiece)} is none of its pieces`)
  const scores = model.scores.map((score, id) => (id < 3 ? 0 : score))
  const bpe = new Bpe(pieces, table, mergesOf(pieces, scores, table), {
    unkToken: model.unkPiece,
    fuseUnk: true,
    byteFallback: true,
    ignoreMerges: false,
  })

  const prefix = settings.flag('add_prefix_space', true)
  // Null is the default here.
  const legacy = settings.at('legacy')
  const marks = replaceUnit(32, spaceMark.charCodeAt(0))
  const steps: Pick<Converted, 'normalizers' | 'preTokenizers'> = isGemma
    ? { normalizers: [marks], preTokenizers: [split(' ', 'MergedWithPrevious', false)] }
    : !legacy || legacy.absent || legacy.boolean()
      ? { normalizers: prefix ? [prepend(spaceMark), marks] : [marks], preTokenizers: [] }
      : {
          normalizers: [],
          preTokenizers: [metaspace(spaceMark, prefix ? 'first' : 'never', false)],
        }
  return {
    ...steps,
    model: bpe,
    // Its class makes them.
    templates: plainTemplates,
  }
}

/** The first three pieces by their names, and the tab itself in place of its byte. */
function gemmaPieces(model: SentencePieceModel, settings: Settings): string[] {
  const pieces = model.pieces.map((piece) => (piece === '<0x09>' ? '\t' : piece))
  const names = (['pad_token', 'eos_token', 'bos_token'] as const).map((name) =>
    settings.text(name),
  )
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
      const left = table.find(units, 0, middle, hashUnits(units, 0, middle))
      if (left < 0) continue
      const right = table.find(units, middle, units.length, hashUnits(units, middle, units.length))
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
