import { GraphQLInt } from 'graphql'
import type { Micros } from '../definitions/timestamp.ts'
import { BadUserInput } from '../errors.ts'
import type { ServiceInputs } from '../online/service-row.ts'
import type { FeatureService } from '../registry/registry.ts'
import {
  type FieldDeclaration,
  inputType,
  objectType,
  optional,
  optionalText,
  type RootDeclaration,
  type TypeClass,
} from './declare.ts'
import { acceptPage, connectionType, type PageInput, pageOf } from './pages.ts'
import type { ReadService } from './read-service.ts'
import { timestampScalar } from './scalars.ts'

interface ServiceParts {
  /** Join keys and request values. */
  readonly inputFields: Readonly<Record<string, FieldDeclaration>>
  readonly rowType: TypeClass
  readonly pageInfo: TypeClass
  readonly read: ReadService
  readonly makeRow: (inputs: ServiceInputs) => object
}

interface SpineRow {
  readonly asOf: Micros
  readonly knownAt?: Micros | null
}

const defaultFirst = 1_000

/**
 * The root field of a service's spine: the rows that the service answers at each row's own time, with the vectors that a model
 * was given then. A page reads its own rows only. Rows without a `knownAt` are answered as known at the first page's moment,
 * which the cursor carries, so that rows that arrive between two pages are on neither.
 */
export function declareServiceAsOf(
  service: FeatureService,
  { inputFields, rowType, pageInfo, read, makeRow }: ServiceParts,
): Readonly<Record<string, RootDeclaration>> {
  const typeName = `${service.typeName}AsOf`
  const spineRow = inputType(typeName, 'Join keys and request values, and the time of this row.', {
    ...inputFields,
    asOf: { type: timestampScalar },
    knownAt: optional(timestampScalar),
  })
  const node = objectType(`${typeName}Row`, null, {
    rowIndex: { type: GraphQLInt, description: 'Its place among the rows asked for, from 0.' },
    row: { type: rowType },
  })
  return {
    [`${service.graphqlName}AsOf`]: {
      type: connectionType(`${typeName}Connection`, node, pageInfo),
      arguments: {
        rows: { type: [spineRow] },
        first: { ...optional(GraphQLInt), defaultValue: defaultFirst },
        after: optionalText,
      },
      description:
        'A spine: every row at its own time, in order, in pages; ask for the next one with the same rows.',
      workClass: 'asOf',
      resolve: async (_root, input, context, info) => {
        const rows = input['rows'] as readonly (SpineRow & Readonly<Record<string, unknown>>)[]
        const { first, after } = acceptPage({ first: defaultFirst, ...(input as PageInput) })
        const from = after === null ? 0 : Number(after.id) + 1
        if (!Number.isSafeInteger(from) || from > rows.length)
          throw new BadUserInput('after: expected the endCursor of a page of the same rows')
        const known = after?.at ?? context.now
        const page = rows.slice(from, from + first)
        const times = page.map(({ asOf, knownAt }) => ({ asOf, knownAt: knownAt ?? known }))
        const timesOf = (index: number) => times[index] ?? { asOf: known, knownAt: known }
        const pathOf = (index: number) => {
          const nodes = { key: 'nodes', prev: info.path, typename: undefined }
          return { key: 'row', prev: { key: index, prev: nodes, typename: undefined }, typename: undefined }
        }
        const inputs = await read(page, timesOf, context, pathOf)
        const nodes = inputs.map((one, index) => ({ rowIndex: from + index, row: makeRow(one) }))
        const { pageInfo } = pageOf(nodes, first, ({ rowIndex }) => ({ at: known, id: String(rowIndex) }))
        return { nodes, pageInfo: { ...pageInfo, hasNextPage: from + page.length < rows.length } }
      },
    },
  }
}
