import { GraphQLFloat, GraphQLString } from 'graphql'
import { registerEnumType } from 'type-graphql'
import { objectType, type TypeClass } from './declare.ts'
import { timestampScalar } from './scalars.ts'

/** Types that every view and service uses; created again for each schema, since type-graphql forgets between builds. */
export interface SharedTypes {
  readonly freshness: TypeClass
  readonly featureStatus: object
  readonly featureViolation: TypeClass
  readonly expectationRule: object
}

const rowStatuses = {
  PRESENT: 'PRESENT',
  NOT_FOUND: 'NOT_FOUND',
  OUTSIDE_TTL: 'OUTSIDE_TTL',
  UNAVAILABLE: 'UNAVAILABLE',
} as const
const featureStatuses = {
  PRESENT: 'PRESENT',
  NULL_VALUE: 'NULL_VALUE',
  NOT_FOUND: 'NOT_FOUND',
  OUTSIDE_TTL: 'OUTSIDE_TTL',
  UNAVAILABLE: 'UNAVAILABLE',
  FAILED: 'FAILED',
} as const
const expectationRules = {
  MIN: 'MIN',
  MAX: 'MAX',
  NOT_NULL: 'NOT_NULL',
  ONE_OF: 'ONE_OF',
  MAX_AGE: 'MAX_AGE',
  ROW_COUNT: 'ROW_COUNT',
} as const
const sources = { ONLINE: 'ONLINE', OFFLINE: 'OFFLINE' } as const

export function declareSharedTypes(): SharedTypes {
  registerEnumType(rowStatuses, { name: 'RowStatus', description: "Status of a view's row." })
  registerEnumType(featureStatuses, { name: 'FeatureStatus', description: 'Status of a single value.' })
  registerEnumType(expectationRules, { name: 'ExpectationRule' })
  registerEnumType(sources, { name: 'FreshnessSource' })
  const freshness = objectType('Freshness', null, {
    status: { type: rowStatuses },
    eventTimestamp: {
      type: timestampScalar,
      nullable: true,
      description: "Plain: the row's; batch: the snapshot's; streamed: the newest event's.",
    },
    createdTimestamp: { type: timestampScalar, nullable: true },
    ageSeconds: {
      type: GraphQLFloat,
      nullable: true,
      description: 'Seconds from eventTimestamp to the time asked for, never negative.',
    },
    expiresAt: {
      type: timestampScalar,
      nullable: true,
      description: 'eventTimestamp + ttl; null without a ttl and for streamed views.',
    },
    source: { type: sources },
    lagSeconds: {
      type: GraphQLFloat,
      nullable: true,
      description: 'Streamed views online: how far the tiles are behind what has happened.',
    },
  })
  const featureViolation = objectType('FeatureViolation', null, {
    feature: { type: GraphQLString },
    rule: { type: expectationRules },
    value: { type: GraphQLString, nullable: true },
    bound: { type: GraphQLString, nullable: true },
    message: { type: GraphQLString, description: 'Value 12000 above maximum 10000.' },
  })
  return { freshness, featureStatus: featureStatuses, featureViolation, expectationRule: expectationRules }
}
