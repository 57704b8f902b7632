import type { FieldNode, FragmentDefinitionNode, SelectionSetNode } from 'graphql'
import { type Condition, withConditions } from './selection-conditions.ts'

export interface SelectionVisitor {
  /** The conditions of the field and of the fragments around it; null: a literal @include or @skip excludes it. */
  readonly field: (field: FieldNode, conditions: readonly Condition[] | null) => void
  readonly fragmentNamed: (name: string) => FragmentDefinitionNode | undefined
}

/**
 * Visits the fields of a selection set in document order, those of its fragments wherever they are spread; not the fields
 * below them. Fragments must not spread themselves (validation refuses it).
 */
export function visitSelections(
  selectionSet: SelectionSetNode | undefined,
  visitor: SelectionVisitor,
  outer: readonly Condition[] | null = [],
): void {
  for (const selection of selectionSet?.selections ?? []) {
    const conditions = outer === null ? null : withConditions(outer, selection.directives)
    if (selection.kind === 'Field') visitor.field(selection, conditions)
    else {
      const fragment =
        selection.kind === 'InlineFragment' ? selection : visitor.fragmentNamed(selection.name.value)
      visitSelections(fragment?.selectionSet, visitor, conditions)
    }
  }
}
