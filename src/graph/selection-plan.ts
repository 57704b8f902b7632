import type { FieldNode, FragmentDefinitionNode, GraphQLResolveInfo, SelectionSetNode } from 'graphql'
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
 * Walks a selection once per compiled operation: graphql-jit passes the same `fieldNodes` array on every run, so the
 * plan is kept under it. graphql-js makes a new array each time and pays for the walk.
 */
export function selectionPlans(entity: Entity): (info: GraphQLResolveInfo) => SelectionPlan {
  const plans = new WeakMap<readonly FieldNode[], SelectionPlan>()
  return (info) => {
    const known = plans.get(info.fieldNodes)
    if (known) return known
    const plan = planSelection(entity, info.fieldNodes, info.fragments)
    plans.set(info.fieldNodes, plan)
    return plan
  }
}

function planSelection(
  entity: Entity,
  fieldNodes: readonly FieldNode[],
  fragments: Fragments,
): SelectionPlan {
  const viewOf = new Map(entity.views.map((view) => [view.graphqlName, view]))
  const selected = new Map<FeatureView, Selected>()

  function walk(selectionSet: SelectionSetNode | undefined, outer: readonly Condition[]): void {
    for (const selection of selectionSet?.selections ?? []) {
      const conditions = withConditions(outer, selection.directives)
      if (conditions === null) continue
      switch (selection.kind) {
        case 'Field': {
          const view = viewOf.get(selection.name.value)
          if (view) note(view, conditions)
          break
        }
        case 'InlineFragment':
          walk(selection.selectionSet, conditions)
          break
        case 'FragmentSpread': {
          const fragment: FragmentDefinitionNode | undefined = fragments[selection.name.value]
          walk(fragment?.selectionSet, conditions)
        }
      }
    }
  }
  function note(view: FeatureView, conditions: readonly Condition[]): void {
    const known = selected.get(view)
    if (known) known.places.push(conditions)
    else selected.set(view, { view, places: [conditions] })
  }

  for (const node of fieldNodes) walk(node.selectionSet, [])
  const all = [...selected.values()]
  const views = all.map(({ view }) => view)
  if (all.every(({ places }) => places.some((conditions) => conditions.length === 0))) return () => views
  return (variables) =>
    all
      .filter(({ places }) => places.some((place) => conditionsHold(place, variables)))
      .map(({ view }) => view)
}
