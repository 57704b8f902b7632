import { type GraphQLFieldResolver, type GraphQLSchema, isObjectType } from 'graphql'
import type { GraphContext } from './context.ts'

/**
 * Sets a field's resolver on the built schema, past type-graphql's wrapper, which sorts and maps arguments on every call.
 * @throws TypeError when the schema lacks the field: it would answer null for ever.
 */
export function setResolver<Source, Arguments>(
  schema: GraphQLSchema,
  typeName: string,
  fieldName: string,
  resolve: GraphQLFieldResolver<Source, GraphContext, Arguments>,
): void {
  const type = schema.getType(typeName)
  const field = isObjectType(type) ? type.getFields()[fieldName] : undefined
  if (!field) throw new TypeError(`the schema has no field ${typeName}.${fieldName}`)
  field.resolve = resolve
}
