import {
  type FieldNode,
  type GraphQLField,
  getArgumentValues,
  isNonNullType,
  type ValueNode,
  valueFromAST,
} from 'graphql'
import type { Values } from './root-writer.ts'

/**
 * A field's arguments by coerced variables, as `getArgumentValues` answers them; compiled where each is a variable or has none
 * inside. @throws GraphQLError for null where a value is needed.
 */
export function compileArguments(
  field: GraphQLField<unknown, unknown>,
  node: FieldNode,
): (variables: Values) => Values {
  const given = new Map(node.arguments?.map(({ name, value }) => [name.value, value]))
  const fixed: Record<string, unknown> = {}
  const variable: { readonly name: string; readonly from: string; readonly fallback: unknown }[] = []
  for (const { name, type, defaultValue } of field.args) {
    const value = given.get(name)
    if (value === undefined) {
      if (defaultValue !== undefined) fixed[name] = defaultValue
    } else if (value.kind === 'Variable') {
      // Null and absence are refused there, for which graphql-js has its own words.
      if (isNonNullType(type) && defaultValue !== undefined) return byGraphqlJs(field, node)
      variable.push({ name, from: value.name.value, fallback: defaultValue })
    } else if (holdsVariable(value)) return byGraphqlJs(field, node)
    else fixed[name] = valueFromAST(value, type)
  }
  const fixedNames = Object.keys(fixed)
  if (
    fixedNames.length === 0 &&
    variable.length === 0 &&
    field.args.every(({ type }) => !isNonNullType(type))
  )
    return () => none
  const demanded = field.args.flatMap(({ name, type }) => (isNonNullType(type) ? [name] : []))
  return (variables) => {
    const values: Record<string, unknown> = {}
    for (const name of fixedNames) values[name] = fixed[name]
    for (const { name, from, fallback } of variable) {
      const value = variables[from]
      if (value !== undefined) values[name] = value
      else if (fallback !== undefined) values[name] = fallback
    }
    for (const name of demanded)
      if (values[name] === undefined || values[name] === null)
        return getArgumentValues(field, node, variables)
    return values
  }
}

const none: Values = {}

function byGraphqlJs(field: GraphQLField<unknown, unknown>, node: FieldNode): (variables: Values) => Values {
  return (variables) => getArgumentValues(field, node, variables)
}

function holdsVariable(value: ValueNode): boolean {
  if (value.kind === 'Variable') return true
  if (value.kind === 'ListValue') return value.values.some(holdsVariable)
  return value.kind === 'ObjectValue' && value.fields.some((field) => holdsVariable(field.value))
}
