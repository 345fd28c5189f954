/** SentencePiece models that cannot be taken: a TokenizerError that names what is wrong. */
import { describe, expect, it } from 'vitest'
import { fixture, modelFolder, rejectionOf, Tokenizer } from './helpers.ts'

describe('a SentencePiece model', () => {
  const model = fixture('xlm-roberta-514/model/sentencepiece.bpe.model')
  const config = { tokenizer_class: 'XLMRobertaTokenizer' }

  it('needs a family that is known', async () => {
    expect(await rejectionOf(Tokenizer.load(modelFolder(model)))).toMatch(
      /^tokenizer-unsupported: .*sentencepiece\.bpe\.model: a SentencePiece model does not contain the ids of its family, and no tokenizer_config\.json/,
    )
    expect(await rejectionOf(Tokenizer.load(modelFolder(model, {})))).toContain(
      'does not contain the ids',
    )
    const other = { tokenizer_class: 'T5Tokenizer' }
    expect(await rejectionOf(Tokenizer.load(modelFolder(model, other)))).toMatch(
      /^tokenizer-unsupported: .*tokenizer_class is "T5Tokenizer", which is not supported; supported: XLMRobertaTokenizer, LlamaTokenizer, GemmaTokenizer, DebertaV2Tokenizer, with or/,
    )
  })

  it('of another type is refused by name', async () => {
    // Message trainer_spec (field 2) with model_type (field 3): BPE, after a piece "a".
    const bpe = Uint8Array.of(0x0a, 3, 0x0a, 1, 0x61, 0x12, 2, 0x18, 2)
    expect(await rejectionOf(Tokenizer.load(modelFolder(bpe, config)))).toMatch(
      /^tokenizer-unsupported: .*: the model is of type BPE; for XLMRobertaTokenizer only unigram is supported$/,
    )
    const deberta = { tokenizer_class: 'DebertaV2Tokenizer' }
    const bare = Uint8Array.of(0x0a, 3, 0x0a, 1, 0x61)
    expect(await rejectionOf(Tokenizer.load(modelFolder(bare, deberta)))).toMatch(
      /^tokenizer-invalid: .*: there is no piece \[CLS\], which stands around texts$/,
    )
    // unk_id (field 40) is 9.
    const unknown = Uint8Array.of(...bare, 0x12, 3, 0xc0, 2, 9)
    expect(await rejectionOf(Tokenizer.load(modelFolder(unknown, deberta)))).toMatch(
      /^tokenizer-invalid: .*: trainer_spec\.unk_id is 9; expected the id of one of 1 pieces$/,
    )
    const llama = { tokenizer_class: 'LlamaTokenizer' }
    expect(await rejectionOf(Tokenizer.load(modelFolder(model, llama)))).toMatch(
      /^tokenizer-unsupported: .*: the model is of type unigram; for LlamaTokenizer only BPE is supported$/,
    )
  })

  describe('of type BPE', () => {
    const pieces = (...names: string[]) =>
      names.flatMap((name) => {
        const text = new TextEncoder().encode(name)
        return [0x0a, text.length + 2, 0x0a, text.length, ...text]
      })
    const trainer = [0x12, 2, 0x18, 2]
    const llama = ['<unk>', '<s>', '</s>', 'a', 'b', 'ab']
    const load = (names: readonly string[], config: object = {}, more: number[] = trainer) =>
      Tokenizer.load(
        modelFolder(Uint8Array.from([...pieces(...names), ...more]), {
          tokenizer_class: 'LlamaTokenizer',
          ...config,
        }),
      )

    it('works where nothing is wrong', async () => {
      const tokenizer = await load(llama, { add_prefix_space: false })
      expect([...tokenizer.encode('aab', { specialTokens: true })]).toEqual([1, 3, 5])
      expect(tokenizer).toMatchObject({ bosId: 1, eosId: 2, unkId: 0, vocabSize: 6 })
    })

    it('is refused by what is wrong in it', async () => {
      expect(await rejectionOf(load([...llama, 'a']))).toMatch(/: piece 3, "a", is there twice$/)
      // Field 45, unk_piece.
      const other = [0x12, 6, 0x18, 2, 0xea, 0x02, 1, 0x78]
      expect(await rejectionOf(load(llama, {}, other))).toMatch(
        /: its unknown piece "x" is none of its pieces$/,
      )
      expect(await rejectionOf(load(llama, { bos_token: null }))).toMatch(
        /bos_token is null; expected a token, since it is to be added to a text$/,
      )
      const flags = { content: '<new>', special: true }
      const listed = (id: string) => ({ added_tokens_decoder: { [id]: flags } })
      // Its id follows the pieces, as in the reference, whatever id it is listed under.
      for (const id of ['6', '7']) expect((await load(llama, listed(id))).idOf('<new>')).toBe(6)
      expect(await rejectionOf(load(llama, listed('x')))).toMatch(
        /added_tokens_decoder\.x is an object; expected under an id$/,
      )
      const moved = { added_tokens_decoder: { 6: { content: '</s>' } } }
      for (const config of [listed('2'), moved])
        expect(await rejectionOf(load(llama, config))).toMatch(
          /\.[26] is an object; expected "<\/s>" to be listed under 2, its id, and nothing else there$/,
        )
    })
  })

  it.each([
    ['it ends inside a number', [0x0a, 0x80]],
    ['a number of over 64 bits', new Array(20).fill(0x80)],
    ['a field of 5 bytes where 1 are left', [0x0a, 5, 0]],
    ['a field of wire type 3', [0x0b]],
    ['holds no pieces', []],
    ['piece 0 is a number', [0x08, 1]],
    ['piece 0 is not UTF-8', [0x0a, 3, 0x0a, 1, 0xff]],
    ['the score of piece 0 is not a finite number', [0x0a, 5, 0x15, 0, 0, 0xc0, 0x7f]],
  ])('%s', async (message, bytes) => {
    const rejection = await rejectionOf(Tokenizer.load(modelFolder(Uint8Array.from(bytes), config)))
    expect(rejection).toMatch(/^tokenizer-invalid: .*sentencepiece\.bpe\.model: /)
    expect(rejection).toContain(message)
  })
})
