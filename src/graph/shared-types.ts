import { GraphQLFloat } from 'graphql'
import { enumType, objectType, optional, optionalText, type TypeClass, text } from './declare.ts'
import { timestampScalar } from './scalars.ts'

/** Types that every view and service uses; created again for each schema, since type-graphql forgets between builds. */
export interface SharedTypes {
  readonly freshness: TypeClass
  readonly featureStatus: object
  readonly featureViolation: TypeClass
  readonly expectationRule: object
}

export function declareSharedTypes(): SharedTypes {
  const rowStatuses = ['PRESENT', 'NOT_FOUND', 'OUTSIDE_TTL', 'UNAVAILABLE']
  const rowStatus = enumType('RowStatus', rowStatuses, "Status of a view's row.")
  const featureStatuses = ['PRESENT', 'NULL_VALUE', 'NOT_FOUND', 'OUTSIDE_TTL', 'UNAVAILABLE', 'FAILED']
  const featureStatus = enumType('FeatureStatus', featureStatuses, 'Status of a single value.')
  const rules = ['MIN', 'MAX', 'NOT_NULL', 'ONE_OF', 'MAX_AGE', 'ROW_COUNT']
  const expectationRule = enumType('ExpectationRule', rules)
  const source = enumType('FreshnessSource', ['ONLINE', 'OFFLINE'])
  const freshness = objectType('Freshness', null, {
    status: { type: rowStatus },
    eventTimestamp: optional(
      timestampScalar,
      "Plain: the row's; batch: the snapshot's; streamed: the newest event's.",
    ),
    createdTimestamp: optional(timestampScalar),
    ageSeconds: optional(GraphQLFloat, 'Seconds from eventTimestamp to the time asked for, never negative.'),
    expiresAt: optional(
      timestampScalar,
      'eventTimestamp + ttl; null without a ttl and for streaming feature views.',
    ),
    source: { type: source },
    lagSeconds: optional(
      GraphQLFloat,
      'Streaming feature views online: how far the tiles are behind what has happened.',
    ),
    reason: {
      ...optionalText,
      description:
        'Why UNAVAILABLE, in one word: LOST, REFILLING, NEVER_FILLED, UNVERIFIED, RECOMPUTING, NOT_APPLIED, TIMEOUT, HISTORY_EXPIRED, UNKNOWN_LAYOUT, STORE_FAILED.',
    },
  })
  const featureViolation = objectType('FeatureViolation', null, {
    feature: text,
    rule: { type: expectationRule },
    value: optionalText,
    bound: optionalText,
    message: { ...text, description: 'Value 12000 above maximum 10000.' },
  })
  return { freshness, featureStatus, featureViolation, expectationRule }
}
