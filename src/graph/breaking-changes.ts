import { findBreakingChanges, findDangerousChanges } from 'graphql'
import type { Registry } from '../registry/registry.ts'
import { buildSchema } from './build-schema.ts'

/** A difference between two generated schemas that GraphQL clients may meet. */
export interface SchemaChange {
  /** What it is about, as `Customer.dailyOrders`, `Query.customer(asOf)` or `RowStatus.PRESENT`. */
  readonly path: string
  /** By graphql-js, as `Customer.dailyOrders was removed.` */
  readonly text: string
  /** Documents that were valid are not any more, or their answers have another type; else it may only surprise a client. */
  readonly isBreaking: boolean
}

/**
 * How the schema of the second registry differs from that of the first for those who use it, by graphql-js; breaking changes
 * first. What is only added is not among them. Types that go with the last field of their kind are.
 */
export function schemaChanges(before: Registry, after: Registry): readonly SchemaChange[] {
  const [old, today] = [buildSchema(before), buildSchema(after)]
  const shown = (isBreaking: boolean) => (change: { readonly description: string }) => ({
    ...{ path: pathOf(change.description), text: change.description, isBreaking },
  })
  return [
    ...findBreakingChanges(old, today).map(shown(true)),
    ...findDangerousChanges(old, today).map(shown(false)),
  ]
}

/** graphql-js says the place in its sentences only. */
const sentences: readonly (readonly [pattern: RegExp, path: string])[] = [
  [/^Standard scalar (\w+) was removed/, '$1'],
  [/^An? (?:required|optional) field (\w+) on input type (\w+) was added/, '$2.$1'],
  [/^An? (?:required|optional) arg (\w+) on (?:directive )?@?([\w.]+) was added/, '$2($1)'],
  [/^(\w+) was (?:added to|removed from) (?:enum|union) type (\w+)/, '$2.$1'],
  [/^(\w+) added to interfaces implemented by (\w+)/, '$2'],
  [/^([\w.]+) arg (\w+) /, '$1($2)'],
  [/^@?([\w.]+) /, '$1'],
]

function pathOf(sentence: string): string {
  for (const [pattern, path] of sentences) {
    const found = pattern.exec(sentence)
    if (found) return path.replace(/\$(\d)/g, (_match, index: string) => found[Number(index)] ?? '')
  }
  return sentence
}
