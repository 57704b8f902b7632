import { buildSchema, type FieldNode, Kind, OperationTypeNode, type SelectionSetNode } from 'graphql'
import { expect, it } from 'vitest'
import type { GraphContext } from '../../src/graph/context.ts'
import { knownOperations } from '../../src/graph/known-operations.ts'
import { operationExecutor } from '../../src/graph/operation-executor.ts'

function nested(levels: number): SelectionSetNode {
  let set: SelectionSetNode | undefined
  for (let level = 0; level < levels; level += 1) {
    const field: FieldNode = {
      kind: Kind.FIELD,
      name: { kind: Kind.NAME, value: set ? 'a' : 'b' },
      ...(set ? { selectionSet: set } : {}),
    }
    set = { kind: Kind.SELECTION_SET, selections: [field] }
  }
  return set ?? { kind: Kind.SELECTION_SET, selections: [] }
}

it('a document that outgrows the stack behind validation is refused as nested too deeply, not as a fault', async () => {
  const options = { maxEntities: 1, maxReadBytes: 1, count: () => {}, countRoute: () => {} }
  const { execute } = operationExecutor(options, knownOperations(options.count))
  const operation = {
    kind: Kind.OPERATION_DEFINITION as const,
    operation: OperationTypeNode.QUERY,
    selectionSet: nested(100_000),
  }
  const document = { kind: Kind.DOCUMENT as const, definitions: [operation] }
  const schema = buildSchema('type Query { a: Query b: Int }')
  const context = { unavailable: { errors: () => [] } } as unknown as GraphContext
  const { errors = [] } = await execute({ schema, document, operation, request: {} }, context)
  expect(errors.map(({ message, extensions }) => [message, extensions['code']])).toEqual([
    ['the query is nested too deeply', 'GRAPHQL_VALIDATION_FAILED'],
  ])
})
