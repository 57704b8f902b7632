import { GraphQLFloat, GraphQLString } from 'graphql'
import { compileServiceColumns } from '../online/service-columns.ts'
import { compileServiceRow, planService } from '../online/service-row.ts'
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
import { serviceWriter } from './direct/write-service.ts'
import { serviceColumnsWriter } from './direct/write-service-columns.ts'
import { type ServiceInput, serviceLoader, serviceReader, serviceReads } from './read-service.ts'
import type { NeedTimes } from './row-sources.ts'
import { declareServiceAsOf } from './service-as-of.ts'
import { compileVectors, declareServiceColumns } from './service-columns.ts'
import type { SharedTypes } from './shared-types.ts'
import { sharedTimes, type TimeValues, timeArguments } from './time-arguments.ts'
import { graphqlTypeOf } from './value-types.ts'

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
  const plan = planService(service)
  const makeRow = compileServiceRow(service, plan)
  const makeColumns = compileServiceColumns(service, plan)
  const makeVectors = compileVectors(service, plan)
  const reads = serviceReads(service, plan)
  const load = serviceLoader(reads)
  const writing = { service, plan, reads, makeRow, makeVectors, makeColumns }
  const read = serviceReader(load, plan)
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
      writer: serviceWriter(writing),
      resolve: async (_root, input, context, info) => {
        const pathOf = (key: number) => ({ key, prev: info.path, typename: undefined })
        const inputs = await read(...atOneTime(input, context), context, pathOf)
        return inputs.map(makeRow)
      },
    },
    ...declareServiceAsOf(service, { inputFields, rowType, pageInfo, read, makeRow }),
    [`${service.graphqlName}Columns`]: declareServiceColumns(service, {
      ...{ ...shape, plan, makeVectors, makeColumns, load, read, shared },
      entryFields: (declare) => entryFields(service, declare),
      writer: serviceColumnsWriter(writing),
    }),
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
function atOneTime(
  input: ServiceInput,
  context: GraphContext,
): [items: readonly ServiceInput[], times: NeedTimes] {
  return [input['keys'] as readonly ServiceInput[], sharedTimes(input as TimeValues, context.now)]
}
