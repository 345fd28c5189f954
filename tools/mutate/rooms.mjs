// @ts-check

/**
 * @typedef Room
 * @property {readonly string[]} sources globs of the files that are mutated
 * @property {string[]} tests the test files that run on each mutant
 */

/**
 * The rooms that need no GPU. Left out are tests of random input (hostile, mutations) and of large files:
 * they cover every mutant, and each run takes seconds.
 * @type {Readonly<Record<string, Room>>}
 */
export const rooms = {
  checkpoint: {
    sources: ['src/checkpoint/!(quantize-checkpoint|writing).ts'],
    tests: ['test/checkpoint/{checkpoint,config,float,quantization,safetensors}.test.ts'],
  },
  // Apart from the above: its tests quantize whole models, and would run on each of the others' mutants.
  quantize: {
    sources: ['src/checkpoint/{quantize-checkpoint,writing}.ts'],
    tests: ['test/checkpoint/{quantize-checkpoint,writing}.test.ts'],
  },
  tokenizers: {
    sources: ['src/tokenizers/*.ts', '!src/tokenizers/*-data.ts'],
    tests: ['test/tokenizers/!(mutations|gemma|long-texts).test.ts'],
  },
  eval: { sources: ['src/eval/*.ts'], tests: ['test/eval/*.test.ts'] },
  inference: {
    // Passes of the engine need a device: their mutants are not covered here.
    sources: ['src/inference/*.ts'],
    tests: ['test/inference/{tasks,queue-calls,engine}.test.ts'],
  },
  rerankers: {
    sources: ['src/rerankers/{chat-template,check-options,cutoff,options,templates}.ts'],
    tests: ['test/rerankers/{chat-template,option-rules,templates}.test.ts'],
  },
  cli: {
    sources: ['src/cli/records.ts', 'src/cli/members.ts'],
    tests: ['test/cli/records.test.ts'],
  },
  json: { sources: ['src/json.ts'], tests: ['test/json.test.ts'] },
}
