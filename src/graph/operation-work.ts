import {
  type DocumentNode,
  type GraphQLField,
  type GraphQLSchema,
  getNamedType,
  isObjectType,
  type OperationDefinitionNode,
  type ValueNode,
} from 'graphql'
import { documentFragments } from './document-fragments.ts'
import { visitSelections } from './visit-selections.ts'
import { dearest, type WorkClass, workClasses } from './work.ts'

type Variables = Readonly<Record<string, unknown>>

/** The class of a run, by its variables: `asOf` and `knownAt` send a read to the offline store. */
export type ClassifyWork = (variables: Variables) => WorkClass

/** Declares what a field counts as, on the built schema; a field below the roots makes its root dearer. */
export function setWork(
  schema: GraphQLSchema,
  typeName: string,
  fieldName: string,
  workClass: WorkClass,
): void {
  const type = schema.getType(typeName)
  const field = isObjectType(type) ? type.getFields()[fieldName] : undefined
  if (!field) throw new TypeError(`the schema has no field ${typeName}.${fieldName}`)
  field.extensions = { ...field.extensions, [extension]: workClass }
}

const extension = 'featuregraphWork'

function workOf(field: GraphQLField<unknown, unknown> | undefined): WorkClass | null {
  const found = field?.extensions[extension]
  return workClasses.find((one) => one === found) ?? null
}

/**
 * Compiled once per operation. The dearest of its root fields and of the fields directly below them; whatever @include and
 * @skip leave out at a run counts too. What is declared nowhere, as introspection, is of the catalogue.
 */
export function workClassifier(
  schema: GraphQLSchema,
  document: DocumentNode,
  operation: OperationDefinitionNode,
): ClassifyWork {
  const roots = schema.getRootType(operation.operation)?.getFields() ?? {}
  const fragments = documentFragments(document)
  const fragmentNamed = (name: string) => fragments.get(name)
  const times: ValueNode[] = []
  let fixed: WorkClass = 'online'
  visitSelections(operation.selectionSet, {
    fragmentNamed,
    field(root) {
      const field = roots[root.name.value]
      if (root.name.value === '__typename') return
      fixed = dearest(fixed, workOf(field) ?? 'catalogue')
      for (const { name, value } of root.arguments ?? [])
        if (name.value === 'asOf' || name.value === 'knownAt') times.push(value)
      const type = getNamedType(field?.type)
      if (!isObjectType(type)) return
      const fields = type.getFields()
      visitSelections(root.selectionSet, {
        fragmentNamed,
        field: ({ name }) => {
          fixed = dearest(fixed, workOf(fields[name.value]) ?? fixed)
        },
      })
    },
  })
  if (times.length === 0) return () => fixed
  const defaults = new Map(
    operation.variableDefinitions?.map(({ variable, defaultValue }) => [variable.name.value, defaultValue]),
  )
  const isGiven = (value: ValueNode, variables: Variables): boolean => {
    if (value.kind !== 'Variable') return value.kind !== 'NullValue'
    const given = variables[value.name.value]
    const fallback = defaults.get(value.name.value)
    return given === undefined ? fallback !== undefined && fallback.kind !== 'NullValue' : given !== null
  }
  return (variables) => (times.some((value) => isGiven(value, variables)) ? dearest(fixed, 'asOf') : fixed)
}
