/** Indexes of vectors on disk. What reads and writes them is imported when one is opened. */
import type { Folder } from '../platform/files.ts'
import type { VectorIndex } from './index-reader.ts'
import type { IndexWork, WrittenIndex } from './index-writer.ts'

/**
 * Writes an index of the vectors of a corpus in f16, or goes on with one: killed at any time, the next call goes on from the
 * last whole block of 1,024 passages, and the files become what they would have been. What is there is checked first.
 *
 * @throws RetrievalError `index-mismatch` where the folder has an index of another model or corpus; `index-damaged`;
 *   `vectors-invalid`
 */
export const writeIndex = async (work: IndexWork): Promise<WrittenIndex> =>
  (await import('./index-writer.ts')).writeIndex(work)

/**
 * Opens an index. Ids are read at once, vectors when they are asked for; both are checked against their checksums.
 *
 * @throws RetrievalError `index-incomplete` where there is none or it is not finished; `index-damaged`, `index-mismatch`
 */
export const openIndex = async (folder: Folder): Promise<VectorIndex> =>
  (await import('./index-reader.ts')).openIndex(folder)
