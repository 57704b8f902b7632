import type { GraphQLFieldResolver } from 'graphql'
import { acceptValue, type Value } from '../definitions/value.ts'
import { BadUserInput } from '../errors.ts'
import type { ComputedRow } from '../on-demand/compute-row.ts'
import { gatherInputs, placedInputs } from '../online/on-demand.ts'
import type { ViewRow } from '../online/view-row.ts'
import type { OnDemandView } from '../registry/registry.ts'
import type { GraphContext } from './context.ts'
import { type ArgumentDeclaration, type FieldDeclaration, objectType } from './declare.ts'
import { describeFeature, describeOnDemandView } from './descriptions.ts'
import type { EntityObject } from './entity-types.ts'
import type { SharedTypes } from './shared-types.ts'
import { unavailability } from './unavailable-views.ts'
import { graphqlTypeOf } from './value-types.ts'
import type { ViewColumn } from './view-column.ts'

/** Its field in the entity's type: request values are arguments. */
export function declareOnDemandView(view: OnDemandView, shared: SharedTypes): FieldDeclaration {
  const features = view.features.map((feature): [string, FieldDeclaration] => {
    const notes = { description: describeFeature(feature), deprecationReason: feature.deprecated }
    return [feature.graphqlName, { type: graphqlTypeOf(feature.type), nullable: true, ...notes }]
  })
  const description = describeOnDemandView(view)
  const type = objectType(view.typeName, description, {
    ...Object.fromEntries(features),
    status: {
      type: shared.featureStatus,
      description:
        'PRESENT; NULL_VALUE: all values are null; FAILED: the function did not answer what it should; UNAVAILABLE: what it is given is not known, or the function is not there.',
    },
  })
  return { type, nullable: true, description, arguments: argumentsOf(view) }
}

function argumentsOf({ inputs }: OnDemandView): Readonly<Record<string, ArgumentDeclaration>> {
  return Object.fromEntries(
    inputs.flatMap((input): readonly (readonly [string, ArgumentDeclaration])[] => {
      if (input.kind === 'feature') return []
      const { graphqlName, type, optional } = input.request
      const description = describeFeature(input.request)
      return [
        [
          graphqlName,
          {
            ...{ type: graphqlTypeOf(type), nullable: optional },
            ...(description === null ? {} : { description }),
          },
        ],
      ]
    }),
  )
}

type Arguments = Readonly<Record<string, unknown>>

/** Computes from what the entity's one read has answered, synchronously. */
export function onDemandResolver(
  view: OnDemandView,
): GraphQLFieldResolver<EntityObject, GraphContext, Arguments, object> {
  const { views, requests, placed } = placedInputs(view)
  return ({ $index, $columns }, given, context, info) => {
    const values = requests.map(({ type, graphqlName }): Value | null => {
      const outcome = acceptValue(type, given[graphqlName])
      if (outcome.ok) return outcome.value
      throw new BadUserInput(`${graphqlName}: expected ${outcome.expected}`)
    })
    const read = views.map((input): readonly [column: ViewColumn, row: ViewRow] => {
      const column = $columns.find((candidate) => candidate.view === input)
      if (!column) throw new TypeError(`view ${input.name} was not read for ${view.name}`)
      return [column, column.row($index, null)]
    })
    const rows = read.map(([, row]) => row)
    const computed = context.computeOnDemand(view)(gatherInputs(placed, rows, values))
    if (computed.reason !== null) {
      const [column, row] = read.find(([, one]) => one.$status === 'UNAVAILABLE') ?? []
      const why =
        column && row ? column.why(row) : unavailability(computed.reason, rows[0]?.$source ?? 'ONLINE')
      const message = column ? `its input "${column.view.name}": ${why.message}` : why.message
      context.unavailable.note(view, info.path, { ...why, message })
    }
    return shownRow(view, computed)
  }
}

function shownRow({ features }: OnDemandView, { values, status }: ComputedRow): object {
  const row: Record<string, unknown> = { status }
  features.forEach(({ graphqlName }, index) => {
    row[graphqlName] = values[index] ?? null
  })
  return row
}
