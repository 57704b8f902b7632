import { GraphQLFloat, type GraphQLResolveInfo, GraphQLString, type OperationDefinitionNode } from 'graphql'
import type { PlacedFeature } from '../online/packed-numbers.ts'
import type { MakeColumns, ServiceVectors } from '../online/service-columns.ts'
import { type ServicePlan, vectorNumber } from '../online/service-row.ts'
import { rowValue, type ViewRow } from '../online/view-row.ts'
import type { FeatureService, VectorEntry } from '../registry/registry.ts'
import { type FieldDeclaration, objectType, type RootDeclaration } from './declare.ts'
import type { CompileRoot } from './direct/root-writer.ts'
import {
  type LoadedService,
  type LoadService,
  noteUnavailable,
  type ReadService,
  type ServiceInput,
} from './read-service.ts'
import type { SharedTypes } from './shared-types.ts'
import { sharedTimes, type TimeValues } from './time-arguments.ts'
import { graphqlTypeOf } from './value-types.ts'
import type { ViewColumn } from './view-column.ts'
import { visitSelections } from './visit-selections.ts'

interface ColumnParts {
  readonly plan: ServicePlan
  readonly makeVectors: MakeVectors
  readonly makeColumns: MakeColumns
  readonly arguments: NonNullable<RootDeclaration['arguments']>
  readonly writer: CompileRoot
  readonly load: LoadService
  readonly read: ReadService
  readonly shared: SharedTypes
  /** A field per entry of the vector. */
  readonly entryFields: (
    declare: (entry: VectorEntry) => FieldDeclaration,
  ) => Record<string, FieldDeclaration>
}

/**
 * The root field of a service by column. Where only keys and vectors are selected, and no function computes any of them, the
 * numbers come straight from the packed rows.
 */
export function declareServiceColumns(
  service: FeatureService,
  { plan, makeVectors, makeColumns, load, read, shared, entryFields, ...parts }: ColumnParts,
): RootDeclaration {
  const statuses = objectType(
    `${service.typeName}Statuses`,
    null,
    entryFields(() => ({ type: [shared.featureStatus] })),
  )
  const type = objectType(`${service.typeName}Columns`, 'Arrays are as long as keys and in their order.', {
    names: { type: [GraphQLString] },
    vectors: { type: [[GraphQLFloat]], description: 'One vector per key.' },
    vectorsBase64: {
      type: GraphQLString,
      description: 'The same, row-major little-endian float64 in base64.',
    },
    ...Object.fromEntries(
      service.joinKeys.map((joinKey) => [joinKey.graphqlName, { type: [graphqlTypeOf(joinKey.type)] }]),
    ),
    ...entryFields((entry) => ({ type: [graphqlTypeOf(entry.type)], nullable: 'items' })),
    statuses: { type: statuses },
  })
  const isVectorsOnly = vectorsOnly(service)
  return {
    arguments: parts.arguments,
    writer: parts.writer,
    type,
    description: 'The same by column: for hundreds of keys, without an object per key.',
    resolve: async (_root, input, context, info) => {
      const items = input['keys'] as readonly ServiceInput[]
      const times = sharedTimes(input as TimeValues, context.now)
      if (plan.computations.length > 0 || !isVectorsOnly(info))
        return makeColumns(await read(items, times, context, () => info.path))
      const vectors = makeVectors(await load(items, times, context), (column, row) => {
        column.counts[row === null ? 'PRESENT' : row.$status] += 1
        if (row !== null) noteUnavailable(context, column, row, info.path)
      })
      return makeColumns(vectors)
    },
  }
}

/** Whether an operation selects nothing of the field but keys, names and vectors; found once per operation. */
function vectorsOnly({ joinKeys }: FeatureService): (info: GraphQLResolveInfo) => boolean {
  const cheap = new Set([
    ...['__typename', 'names', 'vectors', 'vectorsBase64'],
    ...joinKeys.map(({ graphqlName }) => graphqlName),
  ])
  const known = new WeakMap<OperationDefinitionNode, Map<string | number, boolean>>()
  return ({ operation, fragments, path }) => {
    const byRoot = known.get(operation) ?? new Map<string | number, boolean>()
    known.set(operation, byRoot)
    const found = byRoot.get(path.key)
    if (found !== undefined) return found
    const fragmentNamed = (name: string) => fragments[name]
    let isCheap = true
    visitSelections(operation.selectionSet, {
      fragmentNamed,
      field: (root) => {
        if ((root.alias ?? root.name).value !== path.key) return
        visitSelections(root.selectionSet, {
          fragmentNamed,
          field: ({ name }) => {
            isCheap &&= cheap.has(name.value)
          },
        })
      },
    })
    byRoot.set(path.key, isCheap)
    return isCheap
  }
}

/** Called for every row of every column that goes into vectors; null: its numbers came straight from its bytes, it is PRESENT. */
type OnRow = (column: ViewColumn, row: ViewRow | null) => void

export type MakeVectors = (loaded: LoadedService, onRow: OnRow) => ServiceVectors

/** Not for a service that a function computes a number of. */
export function compileVectors({ vector }: FeatureService, { entries, reads }: ServicePlan): MakeVectors {
  const defaults = Float64Array.from(vector, (entry) => entry.default)
  const requested = entries.flatMap(({ entry, place: from }, place) =>
    entry.kind === 'request' ? [{ entry, from, place }] : [],
  )
  const wantedOf = reads.map((_, read) =>
    entries.flatMap(({ entry, place: from }, place): readonly PlacedFeature[] =>
      entry.kind === 'feature' && from === read ? [{ feature: entry.feature, place }] : [],
    ),
  )
  return ({ keys, requests, columns }, onRow) => {
    const width = vector.length
    const numbers = new Float64Array(keys.length * width)
    for (let row = 0; row < keys.length; row += 1) {
      numbers.set(defaults, row * width)
      for (const { entry, from, place } of requested)
        numbers[row * width + place] = vectorNumber(entry, requests[row]?.[from] ?? null)
    }
    columns.forEach((column, read) => {
      const wanted = wantedOf[read] ?? []
      const fill = column.numbers(wanted)
      for (let row = 0; row < keys.length; row += 1) {
        const other = fill(row, numbers, row * width)
        onRow(column, other)
        if (other === null) continue
        for (const { feature, place } of wanted) {
          const value = rowValue(other, feature.graphqlName)
          if (value !== null) numbers[row * width + place] = Number(value)
        }
      }
    })
    return { keys, numbers }
  }
}
