import type { DocumentNode, OperationDefinitionNode, SelectionSetNode } from 'graphql'
import { documentFragments } from './document-fragments.ts'
import { visitSelections } from './visit-selections.ts'

/**
 * How many fields an operation selects, a fragment counted at every place where it is spread. Validation has bounded
 * that number and refused fragments that spread themselves.
 */
export function countSelections(document: DocumentNode, operation: OperationDefinitionNode): number {
  const fragments = documentFragments(document)
  let fields = 0
  const count = (selectionSet: SelectionSetNode | undefined): void =>
    visitSelections(selectionSet, {
      fragmentNamed: (name) => fragments.get(name),
      field(field) {
        fields += 1
        count(field.selectionSet)
      },
    })
  count(operation.selectionSet)
  return fields
}
