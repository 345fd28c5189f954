import { expect, it } from 'vitest'
import { termsOf } from '../../src/retrieval/terms.ts'

// Answers of `tokenize` of the script that made the BM25 runs of test/fixtures/beir (its README names it).
const cases: [text: string, terms: string][] = [
  ["The giant panda's 3 cubs, 2.5 kg!", 'the giant panda s 3 cubs 2 5 kg'],
  ['Straße STRASSE ẞ', 'strasse strasse ss'],
  ['Σίσυφος ΣΊΣΥΦΟΣ', 'σίσυφοσ σίσυφοσ'],
  ['Iğdır IĞDIR ığdır İzmir', 'iğdır iğdir ığdır i̇zmir'],
  ['大熊猫 eats竹子3根', '大熊 熊猫 eats 竹子 3 根'],
  ['แพนด้ากินไผ่', 'แพ พน นด ด้ ้า าก กิ ิน นไ ไผ ผ่'],
  ['東京タワー', '東京 京タ タワ ワー'],
  ['ﬁnd Ⅳ ① ﾊﾟﾝﾀﾞ', 'find iv 1 パン ンダ'],
  ['नमस्ते दुनिया', 'नमस्ते दुनिया'],
  ['_a-b__c', 'a b c'],
  ['한국어 텍스트', '한국어 텍스트'],
  ['ຂ ລາວ', 'ຂ ລາ າວ'],
  ['x\u0301y é e\u0301', 'x\u0301y é é'],
  ['😀 𝒳 𠀀𠀁a', 'x 𠀀𠀁 a'],
  ['', ''],
  [' .,!', ''],
  ['ÀÉ ŉ', 'àé ʼn'],
]

it.each(cases)('%j', (text, terms) => {
  expect(termsOf(text).join(' ')).toBe(terms)
})

it('joins upper and lower case of scripts that Python folds upwards', () => {
  expect(new Set(termsOf('Ꭰꭰ ꭰꭰ ᎠᎠ')).size).toBe(1)
})
