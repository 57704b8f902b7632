import type { DocumentNode, FragmentDefinitionNode } from 'graphql'

/** A document's fragments by name. */
export function documentFragments(document: DocumentNode): ReadonlyMap<string, FragmentDefinitionNode> {
  const fragments = new Map<string, FragmentDefinitionNode>()
  for (const node of document.definitions) {
    if (node.kind === 'FragmentDefinition') fragments.set(node.name.value, node)
  }
  return fragments
}
