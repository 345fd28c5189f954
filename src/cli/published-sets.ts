/** A data set of a published table. */
export interface PublishedSet {
  /** Its column. */
  readonly column: string
  /** Its name for `--data`, looked up under `--root`. */
  readonly place: string
  /** How the path of such a set may end, in lower case, without the split. */
  readonly endings: readonly string[]
  /** Where to get it. */
  readonly from: string
}

/** The tables of one collection of data sets. */
export interface PublishedFamily {
  /** The names of its tables in published.json, in their order. */
  readonly tables: readonly string[]
  readonly sets: readonly PublishedSet[]
}

/** BEIR's names of the sets that the tables call otherwise, and the splits that are not `test`. */
const beirNames: Readonly<Record<string, string>> = {
  dbpedia: 'dbpedia-entity',
  touche: 'webis-touche2020',
}
const beirSplits: Readonly<Record<string, string>> = { msmarco: 'dev' }

const beir = [
  'trec-covid',
  'quora',
  'dbpedia',
  'scidocs',
  'fever',
  'nq',
  'touche',
  'arguana',
  'msmarco',
  'fiqa',
  'climate-fever',
  'scifact',
  'nfcorpus',
  'hotpotqa',
  'cqadupstack',
].map((column): PublishedSet => {
  const name = beirNames[column] ?? column
  return {
    column,
    place: `beir/${name}/${beirSplits[column] ?? 'test'}`,
    endings: [...new Set([name, column])],
    from: `https://public.ukp.informatik.tu-darmstadt.de/thakur/BEIR/datasets/${name}.zip`,
  }
})

const cmteb = [
  'T2Retrieval',
  'MMarcoRetrieval',
  'DuRetrieval',
  'CovidRetrieval',
  'CmedqaRetrieval',
  'EcomRetrieval',
  'MedicalRetrieval',
  'VideoRetrieval',
].map(
  (column): PublishedSet => ({
    column,
    place: `C-MTEB/${column}`,
    endings: [column.toLowerCase()],
    from: `https://huggingface.co/datasets/C-MTEB/${column} and ${column}-qrels (as corpus.jsonl, queries.jsonl and qrels.jsonl)`,
  }),
)

const miracl = 'ar bn en es fa fi fr hi id ja ko ru sw te th zh de yo'.split(' ').map(
  (column): PublishedSet => ({
    column,
    place: `miracl/${column}/dev`,
    endings: [`miracl-v1.0-${column}`, `miracl/${column}`],
    from: `https://huggingface.co/datasets/miracl/miracl and miracl-corpus, folders miracl-v1.0-${column} and miracl-corpus-v1.0-${column}`,
  }),
)

/** The published tables by the names that `--table` takes; llama-index's has a column for each first stage. */
export const publishedFamilies = {
  beir: {
    tables: ['beir-from-bge-en-v1.5-large', 'beir-from-e5-mistral-7b-instruct'],
    sets: beir,
  },
  cmteb: { tables: ['cmteb-retrieval-from-bge-zh-v1.5-large'], sets: cmteb },
  miracl: { tables: ['miracl-from-bge-m3'], sets: miracl },
  'llama-index': { tables: ['llama-index'], sets: [] },
} satisfies Record<string, PublishedFamily>

export type FamilyName = keyof typeof publishedFamilies
