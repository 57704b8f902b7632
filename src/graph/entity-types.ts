import type { GraphQLFieldResolver, GraphQLResolveInfo, GraphQLSchema } from 'graphql'
import { plural } from '../definitions/graphql-name.ts'
import type { Micros } from '../definitions/timestamp.ts'
import { acceptKeyValue, type EntityKey, type KeyValue } from '../definitions/value.ts'
import { BadUserInput } from '../errors.ts'
import { inputViews } from '../online/on-demand.ts'
import type { ViewRow } from '../online/view-row.ts'
import type { Entity, FeatureView, JoinKey, StoredView } from '../registry/registry.ts'
import type { GraphContext } from './context.ts'
import {
  type ArgumentDeclaration,
  type FieldDeclaration,
  inputType,
  objectType,
  optional,
  type RootDeclaration,
  type TypeClass,
} from './declare.ts'
import { describeEntity, describeFeature, describeView } from './descriptions.ts'
import { entityWriter } from './direct/write-entity.ts'
import { declareHistory, historyField, historyResolver } from './history-types.ts'
import { declareOnDemandView, onDemandResolver } from './on-demand-types.ts'
import { setWork } from './operation-work.ts'
import type { NeedTimes } from './row-sources.ts'
import { durationScalar, timestampScalar } from './scalars.ts'
import { selectionPlans } from './selection-plan.ts'
import { setResolver } from './set-resolver.ts'
import type { SharedTypes } from './shared-types.ts'
import { sharedTimes, type TimeValues, timeArguments } from './time-arguments.ts'
import { graphqlTypeOf } from './value-types.ts'
import type { ViewColumn } from './view-column.ts'

/** What a view's field and a join key's field read from. */
export interface EntityObject {
  readonly $key: EntityKey
  readonly $index: number
  readonly $columns: readonly ViewColumn[]
  readonly $times: NeedTimes
}

type MakeEntity = (
  key: EntityKey,
  index: number,
  columns: readonly ViewColumn[],
  times: NeedTimes,
) => EntityObject

/** One class per entity, its join keys as getters: all rows of an answer share their columns. */
function entityClass(entity: Entity): MakeEntity {
  class Row implements EntityObject {
    readonly $key: EntityKey
    readonly $index: number
    readonly $columns: readonly ViewColumn[]
    readonly $times: NeedTimes
    constructor(key: EntityKey, index: number, columns: readonly ViewColumn[], times: NeedTimes) {
      this.$key = key
      this.$index = index
      this.$columns = columns
      this.$times = times
    }
  }
  entity.joinKeys.forEach((joinKey, place) => {
    Object.defineProperty(Row.prototype, joinKey.graphqlName, {
      get(this: Row) {
        return this.$key[place]
      },
    })
  })
  return (key, index, columns, times) => new Row(key, index, columns, times)
}

/**
 * A key's values by argument or input field → the entity key in canonical form. `index`: of one in a list.
 * @throws BadUserInput naming both.
 */
export function acceptKey(
  joinKeys: readonly JoinKey[],
  input: Readonly<Record<string, unknown>>,
  index: number | null = null,
): EntityKey {
  const key: KeyValue[] = []
  for (const joinKey of joinKeys) key.push(acceptPart(joinKey, input[joinKey.graphqlName], index))
  return key
}

function acceptPart(joinKey: JoinKey, value: unknown, index: number | null): KeyValue {
  const outcome = acceptKeyValue(joinKey.type, value)
  if (outcome.ok) return outcome.value
  const place = index === null ? '' : `key ${index} (the first is 0): `
  throw new BadUserInput(`${place}${joinKey.graphqlName}: expected ${outcome.expected}`)
}

export function keyFields(joinKeys: readonly JoinKey[]): Record<string, FieldDeclaration> {
  return Object.fromEntries(joinKeys.map((key) => [key.graphqlName, { type: graphqlTypeOf(key.type) }]))
}

function viewType(view: FeatureView, shared: SharedTypes): TypeClass {
  const features = view.features.map((feature): [string, FieldDeclaration] => {
    const type = graphqlTypeOf(feature.type)
    const notes = { description: describeFeature(feature), deprecationReason: feature.deprecated }
    return [feature.graphqlName, { type, nullable: true, ...notes }]
  })
  return objectType(view.typeName, describeView(view), {
    ...Object.fromEntries(features),
    freshness: { type: shared.freshness },
  })
}

/** The entity's types and its three root fields: one, a list, and a spine in which every row has its own time. */
export function declareEntity(
  entity: Entity,
  shared: SharedTypes & { readonly pageInfo: TypeClass },
  { one, list, readOne, readList }: KeyArguments,
): Readonly<Record<string, RootDeclaration>> {
  const maxAge = optional(durationScalar, 'An older row answers OUTSIDE_TTL.')
  const type = objectType(entity.typeName, describeEntity(entity), {
    ...keyFields(entity.joinKeys),
    ...Object.fromEntries(
      entity.views.map((view) => {
        const declared = { type: viewType(view, shared), nullable: true, arguments: { maxAge } }
        return [view.graphqlName, { ...declared, description: describeView(view) }]
      }),
    ),
    ...Object.fromEntries(
      storedViews(entity).map((view) => [historyField(view), declareHistory(view, shared.pageInfo)]),
    ),
    ...Object.fromEntries(
      entity.onDemandViews.map((view) => [view.graphqlName, declareOnDemandView(view, shared)]),
    ),
  })
  const spineRow = inputType(`${entity.typeName}AsOf`, null, {
    ...keyFields(entity.joinKeys),
    asOf: { type: timestampScalar },
    knownAt: optional(timestampScalar),
  })
  const load = entityLoader(entity)
  const timesOf = (input: object, at: Micros): NeedTimes => sharedTimes(input as TimeValues, at)
  return {
    [entity.graphqlName]: {
      type,
      writer: entityWriter({ entity, isList: false, keysOf: (input) => [readOne(input)], timesOf }),
      arguments: { ...one, ...timeArguments },
      description: `One ${entity.name}.`,
      workClass: 'online',
      resolve: async (_root, input, context, info) => {
        const times = sharedTimes(input as TimeValues, context.now)
        const [row] = await load([readOne(input)], times, context, info)
        return row
      },
    },
    [entity.pluralName]: {
      type: [type],
      writer: entityWriter({ entity, isList: true, keysOf: readList, timesOf }),
      arguments: { ...list, ...timeArguments },
      description: 'One per key, in order, duplicates kept.',
      workClass: 'online',
      resolve: (_root, input, context, info) =>
        load(readList(input), sharedTimes(input as TimeValues, context.now), context, info),
    },
    [`${entity.pluralName}AsOf`]: {
      type: [type],
      arguments: { rows: { type: [spineRow] } },
      description: 'A spine: every row at its own time. One per row, in order.',
      workClass: 'asOf',
      writer: entityWriter({
        ...{ entity, isList: true, timesOf: spineTimes },
        keysOf: (input) => spineKeys(entity, input),
      }),
      resolve: (_root, input, context, info) =>
        load(spineKeys(entity, input), spineTimes(input, context.now), context, info),
    },
  }
}

type SpineRow = Readonly<Record<string, unknown>> & {
  readonly asOf: Micros
  readonly knownAt?: Micros | null
}

type Input = Readonly<Record<string, unknown>>

function spineKeys({ joinKeys }: Entity, input: Input): readonly EntityKey[] {
  return (input['rows'] as readonly SpineRow[]).map((row, index) => acceptKey(joinKeys, row, index))
}

function spineTimes(input: Input, now: Micros): NeedTimes {
  const times = (input['rows'] as readonly SpineRow[]).map(({ asOf, knownAt = null }) => ({ asOf, knownAt }))
  return (index) => times[index] ?? { asOf: now, knownAt: null }
}

export interface KeyArguments {
  readonly one: Readonly<Record<string, ArgumentDeclaration>>
  readonly list: Readonly<Record<string, ArgumentDeclaration>>
  readonly readOne: (input: Readonly<Record<string, unknown>>) => EntityKey
  readonly readList: (input: Readonly<Record<string, unknown>>) => readonly EntityKey[]
}

/** A single join key is an argument of its own, several are one input object: to be made once a schema. */
export function keyArguments(entity: Entity): KeyArguments {
  const { joinKeys } = entity
  const [only, ...others] = joinKeys
  if (only && others.length === 0) {
    const type = graphqlTypeOf(only.type)
    const listName = plural(only.graphqlName)
    return {
      one: { [only.graphqlName]: { type } },
      list: { [listName]: { type: [type] } },
      readOne: (input) => acceptKey(joinKeys, input),
      readList: (input) =>
        (input[listName] as readonly unknown[]).map((value, index) => [acceptPart(only, value, index)]),
    }
  }
  const type = inputType(
    `${entity.typeName}Key`,
    'The join keys, in their declared order.',
    keyFields(joinKeys),
  )
  return {
    one: { key: { type } },
    list: { keys: { type: [type] } },
    readOne: (input) => acceptKey(joinKeys, input['key'] as Readonly<Record<string, unknown>>),
    readList: (input) =>
      (input['keys'] as readonly Readonly<Record<string, unknown>>[]).map((key, index) =>
        acceptKey(joinKeys, key, index),
      ),
  }
}

type LoadEntities = (
  keys: readonly EntityKey[],
  times: NeedTimes,
  context: GraphContext,
  info: GraphQLResolveInfo,
) => Promise<readonly EntityObject[]>

function entityLoader(entity: Entity): LoadEntities {
  const makeEntity = entityClass(entity)
  const planOf = selectionPlans(entity)
  return async (keys, times, context, info) => {
    const views = planOf(info)(info.variableValues)
    const columns = views.length === 0 ? [] : await context.rows.load({ entity, keys, views, times })
    return keys.map((key, index) => makeEntity(key, index, columns, times))
  }
}

/** Resolvers of the fields with arguments: they turn what was read into the view's object, synchronously. */
export function resolveViews(entity: Entity, schema: GraphQLSchema): void {
  for (const view of entity.views) setResolver(schema, entity.typeName, view.graphqlName, viewResolver(view))
  for (const view of storedViews(entity)) {
    setResolver(schema, entity.typeName, historyField(view), historyResolver(view))
    setWork(schema, entity.typeName, historyField(view), 'asOf')
  }
  for (const view of entity.onDemandViews)
    setResolver(schema, entity.typeName, view.graphqlName, onDemandResolver(view))
  for (const { graphqlName, online } of entity.views)
    if (!online) setWork(schema, entity.typeName, graphqlName, 'asOf')
  for (const view of entity.onDemandViews)
    if (!inputViews(view).every(({ online }) => online))
      setWork(schema, entity.typeName, view.graphqlName, 'asOf')
}

/** Those that have a history: a streaming view has no rows. */
function storedViews({ views }: Entity): readonly StoredView[] {
  return views.flatMap((view) => (view.kind === 'STREAM' ? [] : [view]))
}

/** Not by `find`, which takes a function for each row. */
function columnOf({ $columns }: EntityObject, view: FeatureView): ViewColumn | null {
  for (const column of $columns) if (column.view === view) return column
  return null
}

function viewResolver(
  view: FeatureView,
): GraphQLFieldResolver<EntityObject, GraphContext, { readonly maxAge?: Micros | null }, ViewRow> {
  return (row, { maxAge = null }, context, info) => {
    const column = columnOf(row, view)
    if (column === null) throw new TypeError(`view ${view.name} was selected but not read`)
    const answer = column.row(row.$index, maxAge)
    if (answer.$status === 'UNAVAILABLE') context.unavailable.note(view, info.path, column.why(answer))
    return answer
  }
}
