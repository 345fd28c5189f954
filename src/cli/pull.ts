import type { Command } from 'commander'
import { type Io, printWarnings, write } from './io.ts'
import { downloadProgress, noProgressOption, progressOn } from './progress.ts'

const help = `
Downloads what dawnrank needs of a model on the Hugging Face Hub: safetensors,
config, tokenizer, model card. The files go to the cache that Python's
huggingface_hub uses too (HF_HUB_CACHE, HF_HOME); their folder is printed. A
download that was interrupted is resumed, and hashes are checked.

HF_TOKEN opens private and gated models, HF_ENDPOINT chooses another hub.

Examples:
  dawnrank pull BAAI/bge-reranker-v2-m3
  dawnrank pull BAAI/bge-reranker-v2-m3 --revision 953dc6f6f85a1b2dbfca4c34a2796e7dde08d41e
`

/** Adds `dawnrank pull` to the program. */
export function addPull(program: Command, io: Io): void {
  program
    .command('pull')
    .summary('download a model of the Hugging Face Hub')
    .description('Downloads a model of the Hugging Face Hub to the cache and prints its folder.')
    .argument('<model>', 'name of the model, such as BAAI/bge-reranker-v2-m3')
    .option('--revision <revision>', 'branch, tag or commit (default: main)')
    .option('--json', 'print {"name", "commit", "path"}', false)
    .option(...noProgressOption)
    .addHelpText('after', help)
    .action(
      async (model: string, options: { revision?: string; json: boolean; progress: boolean }) => {
        const { fetchModel } = await import('#hub')
        const bar = progressOn(io, options.progress)
        try {
          const { warnings, ...found } = await fetchModel(model, {
            revision: options.revision,
            card: true,
            signal: io.signal,
            onProgress: downloadProgress(bar),
          })
          bar.stop()
          await printWarnings(warnings, io)
          await write(io.stdout, `${options.json ? JSON.stringify(found) : found.path}\n`)
        } finally {
          bar.stop()
        }
      },
    )
}
