import type { DocumentNode, GraphQLSchema, OperationDefinitionNode } from 'graphql'
import type { Micros } from '../../definitions/timestamp.ts'
import type { JsonBytes } from '../../online/json/json-bytes.ts'
import { keyText } from '../../online/json/selected-row.ts'
import type { Need } from '../row-sources.ts'
import type { ViewColumn } from '../view-column.ts'
import { variableCoercion } from './coerce-variables.ts'
import { compileArguments } from './read-arguments.ts'
import { type AskedRoot, type RootWriter, type Tally, type Values, writerOf } from './root-writer.ts'
import { answeredFields, type Conditions, conditionVariables } from './selected-fields.ts'

/** An operation's answer before anything is read. */
export interface AskedAnswer {
  /** All that is to be read, in the order of the root fields. */
  readonly needs: readonly Need[]
  /** That the answer of so many entities takes, about. */
  readonly bytes: number
  /**
   * The answer as JSON, of the needs' columns; the rows in it are counted. False: the resolvers are to make it of the same
   * columns, nothing was counted, and what is in `out` means nothing; where `out` is full, it is longer than may be.
   */
  readonly write: (columns: readonly (readonly ViewColumn[])[], out: JsonBytes) => boolean
}

export interface OperationWriter {
  /** Null: the variables, or what they select, are for graphql-js to judge. `entities`: as they are counted. */
  readonly ask: (variables: Values, entities: number, now: Micros) => AskedAnswer | null
}

/** What differs with @include and @skip is compiled for each of their values: of more than so many variables it is not. */
const maxConditions = 4

interface Compiled {
  readonly roots: readonly { readonly key: string; readonly writer: RootWriter }[]
  /** Of the longest. */
  readonly rowBytes: number
}

/** Null: its root fields are not those that can be written, whatever its variables. */
export function operationWriter(
  schema: GraphQLSchema,
  document: DocumentNode,
  operation: OperationDefinitionNode,
): OperationWriter | null {
  const names = conditionVariables(document)
  if (names.length > maxConditions) return null
  const coerce = variableCoercion(schema, operation)
  const compiled = new Map<number, Compiled | null>()

  /** Null: one of the variables has no value, which graphql-js refuses. */
  function compiledFor(variables: Values): Compiled | null {
    let mask = 0
    for (let place = 0; place < names.length; place += 1) {
      const value = variables[names[place] ?? '']
      if (typeof value !== 'boolean') return null
      if (value) mask |= 1 << place
    }
    const known = compiled.get(mask)
    if (known !== undefined) return known
    const conditions = Object.fromEntries(names.map((name, place) => [name, (mask & (1 << place)) !== 0]))
    const made = compileRoots(schema, document, operation, conditions)
    compiled.set(mask, made)
    return made
  }

  if (names.length === 0 && compiledFor({}) === null) return null
  return {
    ask(given, entities, now) {
      const variables = coerce(given)
      const found = variables === null ? null : compiledFor(variables)
      if (variables === null || found === null) return null
      const asked: AskedField[] = []
      let needs: readonly Need[] = []
      try {
        for (const { key, writer } of found.roots) {
          const root = writer.ask(variables, now)
          asked.push({ key, root })
          needs = needs.length === 0 ? root.needs : [...needs, ...root.needs]
        }
      } catch {
        // What is wrong with it is worded by the resolvers, of which none has run.
        return null
      }
      return {
        needs,
        bytes: entities * found.rowBytes,
        write: (columns, out) => writeAnswer(asked, columns, out),
      }
    },
  }
}

interface AskedField {
  readonly key: string
  readonly root: AskedRoot
}

function writeAnswer(
  asked: readonly AskedField[],
  columns: readonly (readonly ViewColumn[])[],
  out: JsonBytes,
): boolean {
  const tallies: Tally[] = []
  let from = 0
  out.begin()
  out.raw('{"data":{')
  for (const { key, root } of asked) {
    out.raw(key)
    const { length } = root.needs
    const own = length === columns.length ? columns : columns.slice(from, from + length)
    if (!root.write(own, out, tallies)) return false
    from += length
  }
  out.raw('}}')
  if (out.hasFailed || out.isFull()) return false
  for (const tally of tallies) tally.commit()
  return true
}

function compileRoots(
  schema: GraphQLSchema,
  document: DocumentNode,
  operation: OperationDefinitionNode,
  conditions: Conditions,
): Compiled | null {
  const declared = schema.getQueryType()?.getFields() ?? {}
  const fieldsOf = answeredFields(document, conditions)
  const roots: { readonly key: string; readonly writer: RootWriter }[] = []
  for (const field of fieldsOf([operation.selectionSet])) {
    const name = field.node.name.value
    const root = declared[name]
    const compile = root ? writerOf(schema, name) : null
    if (!root || !compile) return null
    const argumentsOf = compileArguments(root, field.node)
    const writer = compile({ schema, document, operation, field, fieldsOf, argumentsOf })
    if (writer === null) return null
    roots.push({ key: keyText(field.name, roots.length), writer })
  }
  return { roots, rowBytes: Math.max(0, ...roots.map(({ writer }) => writer.rowBytes)) }
}
