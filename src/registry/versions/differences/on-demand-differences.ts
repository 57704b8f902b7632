import type { OnDemandInput, OnDemandView } from '../../registry.ts'
import type { Broken } from '../changes.ts'
import { counted, type Difference, differs, differsInOrder } from './difference.ts'
import { featureDifferences } from './feature-differences.ts'
import { graphqlShape } from './graphql-shape.ts'
import { pairById } from './pair-by-id.ts'
import { documentedDifferences, nameDifferences } from './shown-differences.ts'

export function addedOnDemandView({ features, entity }: OnDemandView): Difference {
  const text = `added (on demand, ${counted(features.length, 'feature')} of ${entity.name})`
  return { how: 'added', text, breaks: [] }
}

export function removedOnDemandView({ features }: OnDemandView): Difference {
  return {
    ...{ how: 'removed', text: `removed, with ${counted(features.length, 'feature')}` },
    breaks: ['graphql'],
  }
}

/** `trained`: ids of the features that models may have been trained with. */
export function onDemandDifferences(
  before: OnDemandView,
  after: OnDemandView,
  trained: ReadonlySet<string>,
): readonly Difference[] {
  const { pairs, removed } = pairById(before.features, after.features, ({ id }) => id)
  const said = (id: string): readonly Broken[] => (trained.has(id) ? ['models'] : [])
  const served: readonly Broken[] = trained.size > 0 ? ['models'] : []
  const names = ({ features }: OnDemandView): string[] => features.map(({ name }) => name)
  return [
    ...nameDifferences(before, after),
    ...differs('entity', before.entity.name, after.entity.name, ['graphql']),
    ...computeDifferences(before, after, served),
    ...inputDifferences(before, after, served),
    ...pairs.flatMap(([old, feature]): readonly Difference[] =>
      old === null
        ? [{ how: 'added', text: `feature ${feature.name} added (${feature.type})`, breaks: [] }]
        : featureDifferences(
            { view: before, feature: old },
            { view: after, feature },
            { computed: served, said: said(old.id) },
          ),
    ),
    ...removed.map(
      ({ name }): Difference => ({
        ...{ how: 'removed', text: `feature ${name} removed` },
        breaks: ['graphql'],
      }),
    ),
    ...differsInOrder('its features', names(before), names(after)),
    ...documentedDifferences(before, after),
  ]
}

/**
 * A file says more than one function: where the text of the function is the same, what it means is taken to be the same, since
 * every other change of the file would else be said to break models.
 */
function computeDifferences(
  before: OnDemandView,
  after: OnDemandView,
  breaks: readonly Broken[],
): readonly Difference[] {
  if (before.module === after.module) return []
  if (before.functionText === after.functionText)
    return [
      {
        ...{ how: 'changed', breaks: [] },
        text: 'the file of its function, or one that this imports, changed; the text of the function is the same',
      },
    ]
  return [{ how: 'changed', text: 'computed otherwise: its function changed', breaks }]
}

function inputDifferences(
  before: OnDemandView,
  after: OnDemandView,
  breaks: readonly Broken[],
): readonly Difference[] {
  const { pairs, removed } = pairById(before.inputs, after.inputs, ({ name }) => name)
  return [
    ...pairs.flatMap(([old, input]): readonly Difference[] => {
      if (old === null) {
        const isRequired = input.kind === 'request' && !input.request.optional
        const text = `input ${input.name} added (${originOf(input)})`
        return [{ how: 'added', text, breaks: isRequired ? ['graphql'] : [] }]
      }
      return [
        ...differs(`input ${input.name}`, originOf(old), originOf(input), breaksArgument(old, input, breaks)),
        ...(old.kind === 'request' && input.kind === 'request'
          ? [
              ...differs(
                `${input.name} may be left out`,
                old.request.optional,
                input.request.optional,
                input.request.optional ? [] : ['graphql'],
              ),
              ...differs(`default of ${input.name}`, old.request.default, input.request.default, breaks),
              ...differs(`description of ${input.name}`, old.request.description, input.request.description),
            ]
          : []),
      ]
    }),
    ...removed.map((input): Difference => {
      const text = `input ${input.name} removed`
      return { how: 'removed', text, breaks: input.kind === 'request' ? ['graphql'] : [] }
    }),
    ...differsInOrder('its inputs', namesOf(before), namesOf(after)),
  ]
}

function breaksArgument(
  before: OnDemandInput,
  after: OnDemandInput,
  breaks: readonly Broken[],
): readonly Broken[] {
  if (before.kind === 'feature' && after.kind === 'feature') return breaks
  const argument = (input: OnDemandInput): string | null =>
    input.kind === 'feature' ? null : `${input.request.graphqlName} ${graphqlShape(input.request.type)}`
  if (argument(before) === argument(after)) return breaks
  const comesAndMayBeLeftOut = before.kind === 'feature' && after.kind === 'request' && after.request.optional
  return comesAndMayBeLeftOut ? breaks : ['graphql', ...breaks]
}

function originOf(input: OnDemandInput): string {
  if (input.kind === 'feature') return `${input.view.name}.${input.feature.name}`
  const { name, graphqlName, type } = input.request
  return `request value ${graphqlName === name ? type : `${type}, ${graphqlName}`}`
}

function namesOf({ inputs }: OnDemandView): readonly string[] {
  return inputs.map(({ name }) => name)
}
