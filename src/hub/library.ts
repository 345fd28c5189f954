/** What is used of `@huggingface/hub`: a file of its own, so that bundles for browsers leave out the rest. */
export { listFiles, modelInfo } from '@huggingface/hub'
