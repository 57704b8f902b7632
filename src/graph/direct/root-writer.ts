import type { DocumentNode, GraphQLSchema, OperationDefinitionNode } from 'graphql'
import { isObjectType } from 'graphql'
import type { RowStatus } from '../../definitions/row-status.ts'
import type { Micros } from '../../definitions/timestamp.ts'
import type { JsonBytes } from '../../online/json/json-bytes.ts'
import type { Need } from '../row-sources.ts'
import type { ViewColumn } from '../view-column.ts'
import type { AnsweredField, AnsweredFields } from './selected-fields.ts'

export type Values = Readonly<Record<string, unknown>>

/** A value in an answer takes so many bytes, about. */
export const valueBytes = 8

/** A root field of an operation, with what is selected below it. */
interface RootSelection {
  readonly schema: GraphQLSchema
  readonly document: DocumentNode
  readonly operation: OperationDefinitionNode
  readonly field: AnsweredField
  readonly fieldsOf: AnsweredFields
  /** By coerced variables. @throws GraphQLError */
  readonly argumentsOf: (variables: Values) => Values
}

/** What one root field asks for in one request, and how it is answered. */
export interface AskedRoot {
  readonly needs: readonly Need[]
  /**
   * `columns`: those of each need. False where the answer holds an error or a value without a text: it is to be made by the
   * resolvers then, of the same columns.
   */
  readonly write: (columns: readonly (readonly ViewColumn[])[], out: JsonBytes, tallies: Tally[]) => boolean
}

export interface RootWriter {
  /** @throws whatever graphql-js or a resolver is to refuse. */
  readonly ask: (variables: Values, now: Micros) => AskedRoot
  /** That a row takes in the answer, about. */
  readonly rowBytes: number
}

/** Compiled once per operation and values of its conditions. Null: not all that is selected is known to a writer. */
export type CompileRoot = (selection: RootSelection) => RootWriter | null

/** The rows of a column that an answer holds, counted once it is known to be sent. */
export class Tally {
  private readonly column: ViewColumn
  readonly statuses: Record<RowStatus, number> = { PRESENT: 0, NOT_FOUND: 0, OUTSIDE_TTL: 0, UNAVAILABLE: 0 }

  constructor(column: ViewColumn) {
    this.column = column
  }

  commit(): void {
    const { counts } = this.column
    const { statuses } = this
    counts.PRESENT += statuses.PRESENT
    counts.NOT_FOUND += statuses.NOT_FOUND
    counts.OUTSIDE_TTL += statuses.OUTSIDE_TTL
  }
}

const extension = 'featuregraphWriter'

/** Declares, on the built schema, that answers of a root field can be written. */
export function setWriter(schema: GraphQLSchema, name: string, compile: CompileRoot): void {
  const field = schema.getQueryType()?.getFields()[name]
  if (!field) throw new TypeError(`the schema has no root field ${name}`)
  field.extensions = { ...field.extensions, [extension]: compile }
}

export function writerOf(schema: GraphQLSchema, name: string): CompileRoot | null {
  const query = schema.getQueryType()
  const found = isObjectType(query) ? query.getFields()[name]?.extensions[extension] : undefined
  return typeof found === 'function' ? (found as CompileRoot) : null
}
