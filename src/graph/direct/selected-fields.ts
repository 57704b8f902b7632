import type { DocumentNode, FieldNode, SelectionSetNode } from 'graphql'
import { visit } from 'graphql'
import { documentFragments } from '../document-fragments.ts'
import { conditionsHold } from '../selection-conditions.ts'
import { visitSelections } from '../visit-selections.ts'

/** One field of an answer, merged of all its places. */
export interface AnsweredField {
  /** Its name in the answer. */
  readonly name: string
  readonly node: FieldNode
  readonly selections: readonly SelectionSetNode[]
}

export type Conditions = Readonly<Record<string, boolean>>

export type AnsweredFields = (selections: readonly SelectionSetNode[]) => readonly AnsweredField[]

/** What an answer holds, in its order, once the variables of all @include and @skip are known; fragments are inlined. */
export function answeredFields(document: DocumentNode, conditions: Conditions): AnsweredFields {
  const fragments = documentFragments(document)
  return (selections) => {
    const found = new Map<string, AnsweredField & { readonly selections: SelectionSetNode[] }>()
    for (const selectionSet of selections)
      visitSelections(selectionSet, {
        fragmentNamed: (name) => fragments.get(name),
        field(node, places) {
          if (places === null || !conditionsHold(places, conditions)) return
          const name = (node.alias ?? node.name).value
          const inner = node.selectionSet ? [node.selectionSet] : []
          const known = found.get(name)
          if (known) known.selections.push(...inner)
          else found.set(name, { name, node, selections: inner })
        },
      })
    return [...found.values()]
  }
}

/** The variables that @include and @skip go by, anywhere in a document. */
export function conditionVariables(document: DocumentNode): readonly string[] {
  const names = new Set<string>()
  visit(document, {
    Directive({ name, arguments: given }) {
      if (name.value !== 'include' && name.value !== 'skip') return
      const value = given?.find((argument) => argument.name.value === 'if')?.value
      if (value?.kind === 'Variable') names.add(value.name.value)
    },
  })
  return [...names]
}
