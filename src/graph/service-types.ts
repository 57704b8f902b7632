import { GraphQLFloat, type GraphQLResolveInfo, GraphQLString } from 'graphql'
import type { FeatureStatus } from '../definitions/row-status.ts'
import { acceptValue, type Value } from '../definitions/value.ts'
import { BadUserInput } from '../errors.ts'
import { gatherInputs } from '../online/on-demand.ts'
import {
  compileServiceRow,
  keyOfRead,
  planService,
  readsByKey,
  type ServiceInputs,
  type ServicePlan,
  servedValue,
  vectorNumber,
} from '../online/service-row.ts'
import type { ViewRow } from '../online/view-row.ts'
import type { FeatureService, VectorEntry } from '../registry/registry.ts'
import type { GraphContext } from './context.ts'
import {
  type FieldDeclaration,
  inputType,
  objectType,
  type RootDeclaration,
  type TypeClass,
} from './declare.ts'
import { describeFeature, describeService, describeServiceKey } from './descriptions.ts'
import { acceptKey } from './entity-types.ts'
import type { NeedTimes } from './row-sources.ts'
import { declareServiceAsOf } from './service-as-of.ts'
import type { SharedTypes } from './shared-types.ts'
import { sharedTimes, type TimeValues, timeArguments } from './time-arguments.ts'
import { unavailability } from './unavailable-views.ts'
import { graphqlTypeOf } from './value-types.ts'
import type { ViewColumn } from './view-column.ts'

type Input = Readonly<Record<string, unknown>>

function describeEntry(entry: VectorEntry): string | null {
  return describeFeature(entry.kind === 'request' ? entry : entry.feature)
}

/**
 * The service's types and its three root fields: a row per key, columns for hundreds of keys, and a spine in which every row
 * has its own time.
 */
export function declareService(
  service: FeatureService,
  shared: SharedTypes,
  pageInfo: TypeClass,
): Readonly<Record<string, RootDeclaration>> {
  const keys = serviceKeyFields(service)
  const inputFields = {
    ...keys,
    ...Object.fromEntries(
      service.requests.map((request) => [
        request.graphqlName,
        {
          type: graphqlTypeOf(request.type),
          nullable: request.optional,
          description: describeEntry(request),
        },
      ]),
    ),
  }
  const key = inputType(
    `${service.typeName}Key`,
    "Every distinct join key of the service's entities, then its request values.",
    inputFields,
  )
  const rowType = objectType(service.typeName, describeService(service), {
    ...keys,
    ...entryFields(service, (entry) => ({ type: graphqlTypeOf(entry.type), nullable: true })),
    vector: {
      type: [GraphQLFloat],
      description:
        "In names' order; bool as 0 or 1; a null takes its default, a value that is not null never does.",
    },
    names: { type: [GraphQLString], description: "Registry names in the vector's order." },
    statuses: { type: [shared.featureStatus] },
    defaulted: { type: [GraphQLString], description: 'The names whose value is the default.' },
    violations: { type: [shared.featureViolation] },
  })
  const statusesType = objectType(
    `${service.typeName}Statuses`,
    null,
    entryFields(service, () => ({ type: [shared.featureStatus] })),
  )
  const columnsType = objectType(
    `${service.typeName}Columns`,
    'Arrays are as long as keys and in their order.',
    {
      names: { type: [GraphQLString] },
      vectors: { type: [[GraphQLFloat]], description: 'One vector per key.' },
      ...Object.fromEntries(
        service.joinKeys.map((joinKey) => [joinKey.graphqlName, { type: [graphqlTypeOf(joinKey.type)] }]),
      ),
      ...entryFields(service, (entry) => ({ type: [graphqlTypeOf(entry.type)], nullable: 'items' })),
      statuses: { type: statusesType },
    },
  )
  const plan = planService(service)
  const makeRow = compileServiceRow(service, plan)
  const makeColumns = compileServiceColumns(service, plan)
  const read = serviceReader(service, plan)
  const isOnline = plan.reads.every(({ view }) => view.online)
  const shape = {
    arguments: { keys: { type: [key] }, ...timeArguments },
    workClass: isOnline ? ('online' as const) : ('asOf' as const),
  }
  return {
    [service.graphqlName]: {
      ...shape,
      type: [rowType],
      description: describeService(service),
      resolve: async (_root, input, context, info) => {
        const pathOf = (key: number) => ({ key, prev: info.path, typename: undefined })
        const inputs = await read(...atOneTime(input, context), context, pathOf)
        return inputs.map(makeRow)
      },
    },
    ...declareServiceAsOf(service, { inputFields, rowType, pageInfo, read, makeRow }),
    [`${service.graphqlName}Columns`]: {
      ...shape,
      type: columnsType,
      description: 'The same by column: for hundreds of keys, without an object per key.',
      resolve: async (_root, input, context, info) =>
        makeColumns(await read(...atOneTime(input, context), context, () => info.path)),
    },
  }
}

/** A role's keys say whose they are. */
function serviceKeyFields(service: FeatureService): Record<string, FieldDeclaration> {
  return Object.fromEntries(
    service.joinKeys.map(({ name, graphqlName, type }) => [
      graphqlName,
      { type: graphqlTypeOf(type), description: describeServiceKey(service, name) },
    ]),
  )
}

function entryFields(
  service: FeatureService,
  declare: (entry: VectorEntry) => FieldDeclaration,
): Record<string, FieldDeclaration> {
  return Object.fromEntries(
    service.vector.map((entry) => [
      entry.graphqlName,
      { ...declare(entry), description: describeEntry(entry) },
    ]),
  )
}

/** All keys at the moment that the arguments give. */
function atOneTime(input: Input, context: GraphContext): [items: readonly Input[], times: NeedTimes] {
  return [input['keys'] as readonly Input[], sharedTimes(input as TimeValues, context.now)]
}

export type ReadService = (
  /** Join keys and request values, an item per row. */
  items: readonly Input[],
  times: NeedTimes,
  context: GraphContext,
  /** Where an unavailable view of this row is reported. */
  pathOf: (index: number) => GraphQLResolveInfo['path'],
) => Promise<readonly ServiceInputs[]>

/** Reads all views of the service in the tick's one read and answers the inputs of each key's row, in order. */
function serviceReader(service: FeatureService, plan: ServicePlan): ReadService {
  const parts = readsByKey(plan).map(({ entity, keyPlaces, reads }) => {
    // Another entity may have the same join keys in another order.
    const isWholeKey =
      keyPlaces.length === service.joinKeys.length && keyPlaces.every((place, index) => place === index)
    const views = reads.map(({ view }) => view)
    return { entity, views, reads, keyPlaces, isWholeKey }
  })
  const places = parts.flatMap(({ reads }) => reads.map((read) => plan.reads.indexOf(read)))
  return async (items, times, context, pathOf) => {
    const keys = items.map((item) => acceptKey(service.joinKeys, item))
    const requests = items.map((item) => acceptRequests(service, item))
    const loaded = await Promise.all(
      parts.map((part) => {
        const entityKeys = part.isWholeKey ? keys : keys.map((key) => keyOfRead(part, key))
        return context.rows.load({ entity: part.entity, keys: entityKeys, views: part.views, times })
      }),
    )
    const columns: ViewColumn[] = []
    loaded.flat().forEach((column, index) => {
      columns[places[index] ?? index] = column
    })
    return keys.map((key, index): ServiceInputs => {
      const rows = columns.map((column) => rowOf(column, index, context, pathOf))
      const own = requests[index] ?? []
      const computed = plan.computations.map(({ view, inputs }) => {
        const row = context.computeOnDemand(view)(gatherInputs(inputs, rows, own))
        // Inputs that are unavailable have been noted by their own views.
        if (row.reason === 'NO_FUNCTION')
          context.unavailable.note(view, pathOf(index), unavailability(row.reason, 'ONLINE'))
        return row
      })
      return { key, rows, requests: own, computed }
    })
  }
}

function rowOf(
  column: ViewColumn,
  index: number,
  context: GraphContext,
  pathOf: (index: number) => GraphQLResolveInfo['path'],
): ViewRow {
  const row = column.row(index, null)
  if (row.$status === 'UNAVAILABLE') context.unavailable.note(column.view, pathOf(index), column.why(row))
  return row
}

function acceptRequests(service: FeatureService, item: Input): readonly (Value | null)[] {
  return service.requests.map((request) => {
    const outcome = acceptValue(request.type, item[request.graphqlName])
    if (!outcome.ok) throw new BadUserInput(`${request.graphqlName}: expected ${outcome.expected}`)
    return outcome.value
  })
}

/** Columns instead of rows: one array a feature and one a status, no object per value. */
function compileServiceColumns(
  { vector, joinKeys }: FeatureService,
  { entries }: ServicePlan,
): (inputs: readonly ServiceInputs[]) => object {
  return (inputs) => {
    const vectors = inputs.map((): number[] => [])
    const columns: Record<string, unknown> = { names: vector.map((entry) => entry.name), vectors }
    const statuses: Record<string, readonly FeatureStatus[]> = {}
    joinKeys.forEach((joinKey, place) => {
      columns[joinKey.graphqlName] = inputs.map((input) => input.key[place])
    })
    for (const planned of entries) {
      const { entry } = planned
      const values: (Value | null)[] = []
      const entryStatuses: FeatureStatus[] = []
      inputs.forEach((input, index) => {
        const { value, status } = servedValue(planned, input)
        values.push(value)
        entryStatuses.push(status)
        vectors[index]?.push(vectorNumber(entry, value))
      })
      columns[entry.graphqlName] = values
      statuses[entry.graphqlName] = entryStatuses
    }
    return { ...columns, statuses }
  }
}
