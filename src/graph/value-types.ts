import { GraphQLBoolean, GraphQLFloat, GraphQLInt, type GraphQLScalarType, GraphQLString } from 'graphql'
import { elementType, type ScalarType, type ValueType } from '../definitions/value-type.ts'
import { bytesScalar, int64Scalar, timestampScalar } from './scalars.ts'

const scalarOf: Readonly<Record<ScalarType, GraphQLScalarType>> = {
  int32: GraphQLInt,
  int64: int64Scalar,
  float32: GraphQLFloat,
  float64: GraphQLFloat,
  string: GraphQLString,
  bool: GraphQLBoolean,
  timestamp: timestampScalar,
  bytes: bytesScalar,
}

/** What a declaration takes: the scalar, in an array for a list of values that are never null. */
export function graphqlTypeOf(type: ValueType): GraphQLScalarType | readonly [GraphQLScalarType] {
  const element = elementType(type)
  return element === null ? scalarOf[type as ScalarType] : [scalarOf[element]]
}
