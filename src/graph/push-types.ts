import { GraphQLBoolean, GraphQLInt, GraphQLString } from 'graphql'
import type { Micros } from '../definitions/timestamp.ts'
import { acceptIdempotencyKey } from '../ingest/push/idempotency-key.ts'
import type { OnlineOutcome, PushTarget } from '../ingest/push/push-outcome.ts'
import type { Registry, StoredView } from '../registry/registry.ts'
import { enumType, inputType, objectType, optional, optionalText, type RootDeclaration } from './declare.ts'
import { describeFeature } from './descriptions.ts'
import { keyFields } from './entity-types.ts'
import { requireRight } from './require-right.ts'
import { timestampScalar } from './scalars.ts'
import type { SharedTypes } from './shared-types.ts'
import { graphqlTypeOf } from './value-types.ts'

const targets = ['OFFLINE', 'BOTH'] as const satisfies PushTarget[]
const onlineWrites = [
  'WRITTEN',
  'OLDER',
  'NOT_YET',
  'NOT_ASKED',
  'UNAVAILABLE',
] as const satisfies OnlineOutcome[]

interface PushArguments {
  readonly rows: readonly Readonly<Record<string, unknown>>[]
  readonly to?: PushTarget | null
  readonly idempotencyKey?: string | null
}

/** A mutation per view that has no source; nothing at all when there is no such view. */
export function declarePushes(
  registry: Registry,
  { featureViolation }: Pick<SharedTypes, 'featureViolation'>,
): Readonly<Record<string, RootDeclaration>> {
  const views = registry.views.filter((view) => view.kind !== 'STREAM').filter((view) => view.source === null)
  if (views.length === 0) return {}
  const target = enumType(
    'PushTarget',
    targets,
    'Online alone would make rows that no as-of query ever sees.',
  )
  const onlineWrite = enumType(
    'OnlineWrite',
    onlineWrites,
    'OLDER: a newer row of the key is there. NOT_YET: the event timestamp has not come. NOT_ASKED: to OFFLINE, a view that is not online, or a row that was not accepted. UNAVAILABLE: the row is safe offline, and goes online later.',
  )
  const pushedRow = objectType('PushedRow', 'One per row, in order; code and message say why not.', {
    row: { type: GraphQLInt },
    accepted: { type: GraphQLBoolean },
    online: { type: onlineWrite },
    code: optionalText,
    message: optionalText,
    violations: {
      type: [featureViolation],
      description: 'What the row breaks; one that is accepted breaks only expectations that warn.',
    },
  })
  const result = objectType('PushResult', null, {
    accepted: { type: GraphQLInt },
    rejected: { type: GraphQLInt },
    rows: { type: [pushedRow] },
  })
  return Object.fromEntries(views.map((view) => [`push${view.typeName}`, declarePush(view, result, target)]))
}

function declarePush(view: StoredView, result: object, target: object): RootDeclaration {
  return {
    type: result,
    description: `Rows into ${view.name}: offline first, then the newest of each key online. Needs the right "write".`,
    arguments: {
      rows: { type: [pushInput(view)] },
      to: { ...optional(target), defaultValue: 'BOTH' },
      idempotencyKey: optional(
        GraphQLString,
        'At most 255 characters. The same rows again under it are written once and answered alike.',
      ),
    },
    async resolve(_root, input, { caller, push, audit }) {
      requireRight(caller, 'write')
      const { rows, to, idempotencyKey } = input as unknown as PushArguments
      const options = { to: to ?? 'BOTH', idempotencyKey: acceptIdempotencyKey(idempotencyKey) }
      const outcomes = await push(view, rows.map(rowReader(view)), options)
      const accepted = outcomes.filter((outcome) => outcome.accepted).length
      audit({ action: 'PUSH_ROWS', subject: view.name, count: accepted })
      return {
        accepted,
        rejected: outcomes.length - accepted,
        rows: outcomes.map((outcome, row) => ({ row, violations: [], ...outcome })),
      }
    },
  }
}

function pushInput(view: StoredView) {
  const features = view.features.map((feature) => {
    const declared = { type: graphqlTypeOf(feature.type), nullable: true }
    return [feature.graphqlName, { ...declared, description: describeFeature(feature) }]
  })
  return inputType(
    `${view.typeName}Push`,
    "createdTimestamp is the arrival, never the caller's. A feature that is left out is null.",
    {
      ...keyFields(view.entity.joinKeys),
      eventTimestamp: { type: timestampScalar },
      ...Object.fromEntries(features),
    },
  )
}

/** Input fields → registry names. */
function rowReader(view: StoredView) {
  const byName =
    (fields: readonly { readonly name: string; readonly graphqlName: string }[]) =>
    (row: Readonly<Record<string, unknown>>) =>
      Object.fromEntries(fields.map(({ name, graphqlName }) => [name, row[graphqlName]]))
  const key = byName(view.entity.joinKeys)
  const values = byName(view.features)
  return (row: Readonly<Record<string, unknown>>) => ({
    key: key(row),
    values: values(row),
    eventTimestamp: row['eventTimestamp'] as Micros,
  })
}
