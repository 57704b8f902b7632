import {
  type DocumentNode,
  type FieldNode,
  type GraphQLSchema,
  getNamedType,
  getNullableType,
  isListType,
  isNonNullType,
  isObjectType,
  type OperationDefinitionNode,
  type ValueNode,
} from 'graphql'
import { documentFragments } from './document-fragments.ts'
import { defaultFirst } from './pages.ts'
import { type Condition, conditionsHold } from './selection-conditions.ts'
import { visitSelections } from './visit-selections.ts'

type Variables = Readonly<Record<string, unknown>>

/** How many entity rows a run of the operation asks for, over all its root fields and aliases, from raw variables. */
export type CountEntities = (variables: Variables) => number

interface AskedFor {
  /** The list; null for a root field that takes one key. */
  readonly value: ValueNode | null
  /** It is asked for if all conditions of one of its places hold. */
  readonly places: (readonly Condition[])[]
  /** By response name; each of its entities has as many rows as all of them have together. */
  readonly pages: Map<string, AskedPage>
}

/** A field of an entity that is reported in pages. */
interface AskedPage {
  readonly first: ValueNode | null
  readonly places: (readonly Condition[])[]
}

/**
 * Compiled once per operation, since most root lists are variables: a request is then counted by reading the lengths of
 * arrays. A root field that needs a key asks for one entity, one that takes keys or spine rows for as many as it is
 * given, and the catalogue's for none. Pages of an entity's stored rows count by their size.
 */
export function entityCounter(
  schema: GraphQLSchema,
  document: DocumentNode,
  operation: OperationDefinitionNode,
): CountEntities {
  const roots = schema.getRootType(operation.operation)?.getFields() ?? {}
  const fragments = documentFragments(document)
  const defaults = new Map(
    operation.variableDefinitions?.map((node) => [node.variable.name.value, node.defaultValue]),
  )
  /** By response name: places of one name are one field, asked once. */
  const asked = new Map<string, AskedFor>()

  function keysOf(field: FieldNode): ValueNode | null | undefined {
    const required = roots[field.name.value]?.args.filter((argument) => isNonNullType(argument.type)) ?? []
    const list = required.find((argument) => isListType(getNullableType(argument.type)))
    if (!list) return required.length > 0 ? null : undefined
    return field.arguments?.find((node) => node.name.value === list.name)?.value ?? null
  }
  const fragmentNamed = (name: string) => fragments.get(name)

  function addPages(root: FieldNode, pages: AskedFor['pages'], outer: readonly Condition[]): void {
    const type = getNamedType(roots[root.name.value]?.type)
    const fields = isObjectType(type) ? type.getFields() : {}
    const field = (node: FieldNode, conditions: readonly Condition[] | null): void => {
      if (conditions === null || !fields[node.name.value]?.args.some(({ name }) => name === 'first')) return
      const name = (node.alias ?? node.name).value
      const first = node.arguments?.find((argument) => argument.name.value === 'first')?.value ?? null
      const known = pages.get(name)
      if (known) known.places.push(conditions)
      else pages.set(name, { first, places: [conditions] })
    }
    visitSelections(root.selectionSet, { fragmentNamed, field }, outer)
  }

  visitSelections(operation.selectionSet, {
    fragmentNamed,
    field(field, conditions) {
      if (conditions === null) return
      const value = keysOf(field)
      const name = (field.alias ?? field.name).value
      const known = asked.get(name)
      const one: AskedFor = known ?? { value: value ?? null, places: [], pages: new Map() }
      one.places.push(conditions)
      if (value === undefined) return
      addPages(field, one.pages, conditions)
      asked.set(name, one)
    },
  })

  return (given) => {
    const variables = withDefaults(given, defaults)
    let count = 0
    for (const { value, places, pages } of asked.values()) {
      if (!places.some((conditions) => conditionsHold(conditions, variables))) continue
      const entities = value === null ? 1 : lengthOf(value, variables)
      count += pages.size === 0 ? entities : entities * Math.max(1, rowsOf(pages, variables))
    }
    return count
  }
}

function rowsOf(pages: AskedFor['pages'], variables: Variables): number {
  let rows = 0
  for (const { first, places } of pages.values()) {
    if (!places.some((conditions) => conditionsHold(conditions, variables))) continue
    const given = first?.kind === 'Variable' ? variables[first.name.value] : first
    const size = first?.kind === 'IntValue' ? Number(first.value) : given
    rows += typeof size === 'number' && size > 0 ? size : defaultFirst
  }
  return rows
}

/** Conditions may stand on a default; only booleans, list lengths and sizes of pages are looked at. */
function withDefaults(given: Variables, defaults: ReadonlyMap<string, ValueNode | undefined>): Variables {
  let variables = given
  for (const [name, value] of defaults) {
    if (value === undefined || given[name] !== undefined) continue
    const known =
      value.kind === 'BooleanValue'
        ? value.value
        : value.kind === 'ListValue'
          ? value.values
          : value.kind === 'IntValue'
            ? Number(value.value)
            : undefined
    variables = { ...variables, [name]: known }
  }
  return variables
}

/** A single value is coerced to a list of one. */
function lengthOf(value: ValueNode, variables: Variables): number {
  if (value.kind === 'ListValue') return value.values.length
  if (value.kind !== 'Variable') return 1
  const list = variables[value.name.value]
  return Array.isArray(list) ? list.length : 1
}
