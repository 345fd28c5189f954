// @ts-check
// What a Python program does with sentence-transformers' CrossEncoder.
import { CrossEncoder } from 'dawnrank/cross-encoder'

// The embedded model; another one by its place: CrossEncoder.load('cross-encoder/ms-marco-MiniLM-L6-v2')
const model = await CrossEncoder.load()

const query = 'When was the Eiffel Tower built?'
const documents = [
  'The Louvre in Paris is the most visited museum of the world.',
  'The Eiffel Tower was built from 1887 to 1889 as the entrance to a world fair.',
  'Gustave Eiffel was a French engineer.',
]

const pairs = documents.map((document) => [query, document])
const scores = await model.predict(pairs)
console.log(scores.map((score) => score.toFixed(3)).join(' '))

const rows = await model.rank(query, documents, { topK: 2, returnDocuments: true })
for (const { corpusId, score, text } of rows) console.log(corpusId, score.toFixed(3), text)
model.dispose()
