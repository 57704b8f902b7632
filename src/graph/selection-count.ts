import type { DocumentNode, FragmentDefinitionNode, OperationDefinitionNode, SelectionSetNode } from 'graphql'

/**
 * How many fields an operation selects, a fragment counted at every place where it is spread. Validation has bounded
 * that number and refused fragments that spread themselves.
 */
export function countSelections(document: DocumentNode, operation: OperationDefinitionNode): number {
  const fragments = new Map<string, FragmentDefinitionNode>()
  for (const node of document.definitions) {
    if (node.kind === 'FragmentDefinition') fragments.set(node.name.value, node)
  }
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
