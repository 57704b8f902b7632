import { type DocumentNode, GraphQLError, type SelectionSetNode, type ValidationRule } from 'graphql'
import { documentFragments } from './document-fragments.ts'
import { visitSelections } from './visit-selections.ts'

/** Times that `featureViews` may stand inside itself, counting the first. */
const maxNesting = 2

/**
 * An entity names its views and a view its entity, so that a short query could ask for an answer that grows with every
 * level: `{ entities { featureViews { entity { featureViews { entity …`. Beyond a second round it returns nothing new.
 */
export const catalogueNesting: ValidationRule = (context) => {
  const nestingOf = nestingCounter(context.getDocument())
  return {
    OperationDefinition(node) {
      if (nestingOf(node.selectionSet) <= maxNesting) return
      context.reportError(
        new GraphQLError(
          `featureViews may be nested ${maxNesting} deep; ask for one entity's views by name`,
          {
            nodes: node,
          },
        ),
      )
    },
  }
}

/** The largest number of fields named `featureViews` on one way down; each fragment is walked once. */
function nestingCounter(document: DocumentNode): (selectionSet: SelectionSetNode | undefined) => number {
  const fragments = documentFragments(document)
  const known = new Map<string, number>()

  function ofFragment(name: string): number {
    const counted = known.get(name)
    if (counted !== undefined) return counted
    // A fragment that spreads itself is refused by another rule; until then it adds nothing.
    known.set(name, 0)
    const count = of(fragments.get(name)?.selectionSet)
    known.set(name, count)
    return count
  }
  function of(selectionSet: SelectionSetNode | undefined): number {
    let deepest = 0
    visitSelections(selectionSet, {
      fragmentNamed(name) {
        deepest = Math.max(deepest, ofFragment(name))
        return undefined
      },
      field({ name, selectionSet: below }) {
        deepest = Math.max(deepest, (name.value === 'featureViews' ? 1 : 0) + of(below))
      },
    })
    return deepest
  }
  return of
}
