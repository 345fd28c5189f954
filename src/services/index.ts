/** Rerankers and embedders behind an API, as models to compare with. */
export { Answers } from './answers.ts'
export { type Cost, costOf, type Scored } from './cost.ts'
export { ServiceError } from './errors.ts'
export { type RetrySettings, senderTo, usualRetries } from './requests.ts'
export { type ServiceScorer, scorerOver } from './scoring.ts'
export { isService, type Price, type Service, serviceOf } from './services.ts'
