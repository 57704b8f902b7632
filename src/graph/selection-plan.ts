import type { FieldNode, GraphQLResolveInfo, OperationDefinitionNode, SelectionSetNode } from 'graphql'
import type { Entity, FeatureView } from '../registry/registry.ts'
import { type Condition, conditionsHold, withConditions } from './selection-conditions.ts'

interface Selected {
  readonly view: FeatureView
  /** The view is read if all conditions of one of its places hold. */
  readonly places: (readonly Condition[])[]
}

type Variables = GraphQLResolveInfo['variableValues']
type Fragments = GraphQLResolveInfo['fragments']

/** The views that a root field's selection asks for, per request, since @include and @skip may depend on variables. */
export type SelectionPlan = (variables: Variables) => readonly FeatureView[]

/**
 * Walks an operation's selections once per document: Apollo keeps the document, so its operation is the same object on
 * every run. (`info.fieldNodes` would not do: graphql-jit keeps what it tells resolvers under the response path joined
 * by _, where aliases can meet.)
 */
export function selectionPlans(entity: Entity): (info: GraphQLResolveInfo) => SelectionPlan {
  const plans = new WeakMap<OperationDefinitionNode, ReadonlyMap<string | number, SelectionPlan>>()
  return ({ operation, fragments, path }) => {
    let byRoot = plans.get(operation)
    if (!byRoot) {
      byRoot = planRoots(entity, operation, fragments)
      plans.set(operation, byRoot)
    }
    const plan = byRoot.get(path.key)
    if (!plan) throw new TypeError(`the operation has no root field ${path.key}`)
    return plan
  }
}

/** A plan per response name of a root field, which is one field wherever it stands. */
function planRoots(
  entity: Entity,
  operation: OperationDefinitionNode,
  fragments: Fragments,
): ReadonlyMap<string, SelectionPlan> {
  const viewOf = new Map(entity.views.map((view) => [view.graphqlName, view]))
  const roots = new Map<string, Map<FeatureView, Selected>>()

  function walk(
    selectionSet: SelectionSetNode | undefined,
    outer: readonly Condition[],
    enter: (field: FieldNode, conditions: readonly Condition[]) => void,
  ): void {
    for (const selection of selectionSet?.selections ?? []) {
      const conditions = withConditions(outer, selection.directives)
      if (conditions === null) continue
      switch (selection.kind) {
        case 'Field':
          enter(selection, conditions)
          break
        case 'InlineFragment':
          walk(selection.selectionSet, conditions, enter)
          break
        case 'FragmentSpread':
          walk(fragments[selection.name.value]?.selectionSet, conditions, enter)
      }
    }
  }

  walk(operation.selectionSet, [], (root, rootConditions) => {
    const name = (root.alias ?? root.name).value
    const selected = roots.get(name) ?? new Map<FeatureView, Selected>()
    roots.set(name, selected)
    walk(root.selectionSet, rootConditions, (field, conditions) => {
      const view = viewOf.get(field.name.value)
      if (!view) return
      const known = selected.get(view)
      if (known) known.places.push(conditions)
      else selected.set(view, { view, places: [conditions] })
    })
  })
  return new Map([...roots].map(([name, selected]) => [name, planOf([...selected.values()])]))
}

function planOf(all: readonly Selected[]): SelectionPlan {
  const views = all.map(({ view }) => view)
  if (all.every(({ places }) => places.some((conditions) => conditions.length === 0))) return () => views
  return (variables) =>
    all
      .filter(({ places }) => places.some((place) => conditionsHold(place, variables)))
      .map(({ view }) => view)
}
