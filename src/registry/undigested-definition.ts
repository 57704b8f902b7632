import { createHash } from 'node:crypto'
import type { BatchView } from './registry.ts'

/** What was recorded with a snapshot before features had digests (migration 0016): to know those of today's definition. */
export function undigestedDefinition({ aggregations, features, everyMicros }: BatchView): string {
  const text = JSON.stringify([everyMicros, features.map(({ id, type }) => [id, type]), aggregations])
  return createHash('sha256').update(text).digest('hex')
}
