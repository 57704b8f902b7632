import type { DocumentNode, OperationDefinitionNode, SelectionSetNode } from 'graphql'
import { documentFragments } from './document-fragments.ts'

/**
 * How many fields an operation selects, a fragment counted at every place where it is spread. Validation has bounded
 * that number and refused fragments that spread themselves.
 */
export function countSelections(document: DocumentNode, operation: OperationDefinitionNode): number {
  const fragments = documentFragments(document)
  const count = (selectionSet: SelectionSetNode | undefined): number => {
    let fields = 0
    for (const selection of selectionSet?.selections ?? []) {
      if (selection.kind === 'Field') fields += 1 + count(selection.selectionSet)
      else if (selection.kind === 'InlineFragment') fields += count(selection.selectionSet)
      else fields += count(fragments.get(selection.name.value)?.selectionSet)
    }
    return fields
  }
  return count(operation.selectionSet)
}
