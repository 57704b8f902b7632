import { type DocumentNode, type GraphQLSchema, type OperationDefinitionNode, visit } from 'graphql'
import { type CompiledQuery, compileQuery, isCompiledQuery } from 'graphql-jit'

/** The operation compiled by graphql-jit; null where it cannot be, or where graphql-js would answer otherwise. */
export function compileOperation(
  schema: GraphQLSchema,
  document: DocumentNode,
  operation: OperationDefinitionNode,
): CompiledQuery | null {
  // A mutation must run once and in order whatever becomes of it, and its cost is the write's.
  if (operation.operation !== 'query' || isLeftToGraphqlJs(document, operation)) return null
  const compiled = compileQuery(schema, document, operation.name?.value, {
    // What the stores answer was accepted by type when it was written; our own scalars still serialise.
    disableLeafSerialization: true,
  })
  return isCompiledQuery(compiled) ? compiled : null
}

/**
 * What graphql-jit 0.8.9 answers otherwise than graphql-js, found by comparing them on random operations:
 * - it demands a value for a non-null variable even where it has a default;
 * - it keeps a field's conditions on the field's node, so those of one place of a fragment count at all of them, and
 *   those of a field are lost on the fragments inside it: a view is left out, or answered though it was skipped;
 * - it loses a field under the alias `__proto__`.
 * And introspection is asked rarely, but deep nesting of it took seconds to compile.
 */
function isLeftToGraphqlJs(document: DocumentNode, operation: OperationDefinitionNode): boolean {
  let hasFragment = false
  let hasCondition = false
  let hasOddField = false
  visit(document, {
    FragmentSpread: () => {
      hasFragment = true
    },
    InlineFragment: () => {
      hasFragment = true
    },
    Directive: ({ name }) => {
      if (name.value === 'include' || name.value === 'skip') hasCondition = true
    },
    Field: ({ name, alias }) => {
      if (alias?.value === '__proto__' || name.value === '__schema' || name.value === '__type')
        hasOddField = true
    },
  })
  const demandsDefaulted = operation.variableDefinitions?.some(
    (node) => node.type.kind === 'NonNullType' && node.defaultValue !== undefined,
  )
  return (hasFragment && hasCondition) || hasOddField || demandsDefaulted === true
}

/** Nullable variables with a default: graphql-js refuses null for one where a value is needed, graphql-jit does not. */
export function defaultedVariables(operation: OperationDefinitionNode): readonly string[] {
  return (operation.variableDefinitions ?? [])
    .filter((node) => node.type.kind !== 'NonNullType' && node.defaultValue !== undefined)
    .map((node) => node.variable.name.value)
}
