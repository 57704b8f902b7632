import {
  coerceInputValue,
  type GraphQLInputType,
  type GraphQLSchema,
  isInputType,
  isListType,
  isNonNullType,
  isScalarType,
  type OperationDefinitionNode,
  typeFromAST,
  valueFromAST,
} from 'graphql'

import { int64Scalar } from '../scalars.ts'

type Variables = Readonly<Record<string, unknown>>

/** Null: graphql-js would refuse them, and is to say why. */
export type CoerceVariables = (given: Variables) => Variables | null

type Coerce = (value: unknown) => unknown

/** What a value is refused by; caught here. */
class Refused extends Error {}

/** What `getVariableValues` answers, compiled once per operation: lists of scalars, as keys are, without a path an item. */
export function variableCoercion(schema: GraphQLSchema, operation: OperationDefinitionNode): CoerceVariables {
  const definitions = (operation.variableDefinitions ?? []).flatMap((node) => {
    const type = typeFromAST(schema, node.type)
    if (!isInputType(type)) return []
    const fallback = node.defaultValue === undefined ? undefined : valueFromAST(node.defaultValue, type)
    return [
      { name: node.variable.name.value, isNonNull: isNonNullType(type), fallback, coerce: coercion(type) },
    ]
  })
  return (given) => {
    const coerced: Record<string, unknown> = {}
    try {
      for (const { name, isNonNull, fallback, coerce } of definitions) {
        const value = Object.hasOwn(given, name) ? given[name] : undefined
        if (value === undefined) {
          if (fallback !== undefined) coerced[name] = fallback
          else if (isNonNull) return null
        } else if (value !== null) coerced[name] = coerce(value)
        else if (isNonNull) return null
        else coerced[name] = null
      }
    } catch {
      return null
    }
    return coerced
  }
}

function coercion(type: GraphQLInputType): Coerce {
  const whole: Coerce = (value) =>
    coerceInputValue(value, type, () => {
      throw new Refused()
    })
  const bare = isNonNullType(type) ? type.ofType : type
  if (isScalarType(bare)) return (value) => parsed(bare.parseValue(value))
  if (!isListType(bare) || !isNonNullType(bare.ofType)) return whole
  const item = bare.ofType.ofType
  if (!isScalarType(item)) return whole
  return (value) => {
    if (!Array.isArray(value)) return whole(value)
    const items: unknown[] = []
    for (const one of value) {
      if (one === null || one === undefined) throw new Refused()
      // What its parser answers for keys as they mostly are, without the object that says so.
      const isPlain = item === int64Scalar && typeof one === 'number' && Number.isSafeInteger(one)
      items.push(isPlain ? one + 0 : parsed(item.parseValue(one)))
    }
    return items
  }
}

function parsed(value: unknown): unknown {
  if (value === undefined) throw new Refused()
  return value
}
