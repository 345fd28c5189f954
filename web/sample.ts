/** What the page shows before anything is dropped. */
import type { TextDocument } from './documents/types.ts'

export const sampleQuery = 'When was the Eiffel Tower built?'

const passages = [
  'The Louvre in Paris is the most visited museum of the world.',
  'The Eiffel Tower was built from 1887 to 1889 as the entrance to a world fair.',
  'Gustave Eiffel was a French engineer whose company also made the frame of the Statue of Liberty.',
  'The Eiffel Tower is repainted about every seven years, by hand and with brushes.',
  'Paris lies on the river Seine, in the north of France.',
  'The Eiffel Tower is 330 metres high with its antennas, and was the highest building of the world until 1930.',
  'Notre-Dame was built between 1163 and 1345 and reopened in 2024 after a fire.',
  'Visitors reach the top of the tower by lift; to the second floor there are also 674 steps.',
]

export const sample: TextDocument = {
  name: 'Sample: Paris',
  sections: passages.map((text, i) => ({ text, place: `passage ${i + 1}`, whole: true })),
  notes: [],
}
