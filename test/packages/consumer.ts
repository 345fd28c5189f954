// A program of a user, which must compile without skipLibCheck.
import { type Embedder, type RankedRow, Reranker } from 'dawnrank'
import { Reranker as InBrowser } from 'dawnrank/browser'
import { type Devices, openDevices } from 'dawnrank/devices'

export async function best(query: string, passages: readonly string[]): Promise<string> {
  using reranker = await Reranker.load('BAAI/bge-reranker-v2-m3', { dtype: 'int8' })
  const rows: RankedRow<string>[] = await reranker.rank(query, passages, { topN: 1 })
  const score: number = await reranker.computeScore([query, passages[0] ?? ''])
  const scores: number[] = await reranker.computeScore([[query, passages[0] ?? '']])
  // @ts-expect-error a query is a text
  await reranker.rank(1, passages)
  return rows[0]?.passage ?? `${score} ${scores}`
}

export async function layers(device: GPUDevice): Promise<number[][]> {
  const reranker = await Reranker.load(undefined, { device, cutoffLayers: [4, 8] })
  return reranker.computeScore([['a', 'b']])
}

export const open = (): Promise<Devices> => openDevices('model', { devices: 2 })
export const same: typeof Reranker = InBrowser
export const vectors = (embedder: Embedder, texts: string[]) => embedder.embed(texts)
