import type { GraphQLResolveInfo, OperationDefinitionNode, SelectionSetNode } from 'graphql'
import { inputViews } from '../online/on-demand.ts'
import type { Entity, FeatureView } from '../registry/registry.ts'
import { type Condition, conditionsHold } from './selection-conditions.ts'
import { type SelectionVisitor, visitSelections } from './visit-selections.ts'

interface Selected {
  readonly view: FeatureView
  /** The view is read if all conditions of one of its places hold. */
  readonly places: (readonly Condition[])[]
}

type Variables = GraphQLResolveInfo['variableValues']
type Fragments = GraphQLResolveInfo['fragments']

/** A root field of an operation: the operation, and the field's name in the answer. */
type RootPlace = Pick<GraphQLResolveInfo, 'operation' | 'fragments'> & {
  readonly path: Pick<GraphQLResolveInfo['path'], 'key'>
}

/** The views that a root field's selection asks for, per request, since @include and @skip may depend on variables. */
export type SelectionPlan = (variables: Variables) => readonly FeatureView[]

/**
 * Walks an operation's selections once per document: Apollo keeps the document, so its operation is the same object on
 * every run. (`info.fieldNodes` would not do: graphql-jit keeps what it passes to resolvers under the response path joined
 * by _, where aliases can meet.)
 */
export function selectionPlans(entity: Entity): (info: RootPlace) => SelectionPlan {
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
  // An on-demand view is answered by what its function is given.
  const viewsOf = new Map<string, readonly FeatureView[]>([
    ...entity.views.map((view) => [view.graphqlName, [view]] as const),
    ...entity.onDemandViews.map((view) => [view.graphqlName, inputViews(view)] as const),
  ])
  const roots = new Map<string, Map<FeatureView, Selected>>()

  const visit = (
    selectionSet: SelectionSetNode | undefined,
    field: SelectionVisitor['field'],
    outer?: readonly Condition[],
  ): void => visitSelections(selectionSet, { field, fragmentNamed: (name) => fragments[name] }, outer)

  visit(operation.selectionSet, (root, rootConditions) => {
    if (rootConditions === null) return
    const name = (root.alias ?? root.name).value
    const selected = roots.get(name) ?? new Map<FeatureView, Selected>()
    roots.set(name, selected)
    visit(
      root.selectionSet,
      (field, conditions) => {
        if (conditions === null) return
        for (const view of viewsOf.get(field.name.value) ?? []) {
          const known = selected.get(view)
          if (known) known.places.push(conditions)
          else selected.set(view, { view, places: [conditions] })
        }
      },
      rootConditions,
    )
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
