import { expect, it } from 'vitest'
import { languageOf } from '../../src/languages/detect.ts'

it.each([
  ['what is panda?', 'en'],
  ['boundary layer transition on a flat plate', 'en'],
  ['Wo liegt Paris?', 'de'],
  ['¿Dónde está la torre Eiffel?', 'es'],
  ['Где находится Париж?', 'ru'],
  ['पेरिस कहाँ है और कितना बड़ा है?', 'hi'],
  ['大熊猫是什么动物？', 'zh'],
  ['panda', undefined],
  ['GPU', undefined],
  ['12345', undefined],
  ['', undefined],
])('%j is in %s', async (text, language) => {
  expect(await languageOf(text)).toBe(language)
})
