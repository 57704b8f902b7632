/** What `import … from 'featuregraph/testing'` gives: unit tests of features, without a server. */
export type { ServiceAnswer, TestValue, ViewAnswer } from './answers.ts'
export type { Moment } from './offered-content.ts'
export type { Outcome } from './offered-rows.ts'
export { type Definitions, type TestWorld, testWorld } from './test-world.ts'
