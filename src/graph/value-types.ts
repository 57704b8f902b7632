import { GraphQLBoolean, GraphQLFloat, GraphQLInt, type GraphQLScalarType, GraphQLString } from 'graphql'
import { elementType, isDecimal, type PlainType, type ValueType } from '../definitions/value-type.ts'
import { bytesScalar, int64Scalar, timestampScalar } from './scalars.ts'

const scalarOf: Readonly<Record<PlainType, GraphQLScalarType>> = {
  int32: GraphQLInt,
  int64: int64Scalar,
  float32: GraphQLFloat,
  float64: GraphQLFloat,
  string: GraphQLString,
  bool: GraphQLBoolean,
  timestamp: timestampScalar,
  bytes: bytesScalar,
  uuid: GraphQLString,
}

/**
 * What a declaration takes: the scalar, in an array for a list of values that are never null. A decimal is the Float nearest
 * to it, which JSON writes with the decimal's own digits while these are at most 15.
 */
export function graphqlTypeOf(type: ValueType): GraphQLScalarType | readonly [GraphQLScalarType] {
  const element = elementType(type)
  if (element !== null) return [scalarOf[element]]
  return isDecimal(type) ? GraphQLFloat : scalarOf[type as PlainType]
}
