import type { UnavailableReason } from '../definitions/unavailable-reason.ts'
import type { Value } from '../definitions/value.ts'
import {
  type ComputedRow,
  computePlan,
  computeRow,
  type OnComputeFailure,
  unavailableRow,
} from '../on-demand/compute-row.ts'
import type { OnDemandFunctions } from '../on-demand/functions.ts'
import type { Feature, FeatureView, OnDemandView, RequestValue } from '../registry/registry.ts'
import { rowValue, type ViewRow } from './view-row.ts'

/** Where an input of an on-demand view comes from: which of the rows that were read, or which request value. */
export type PlacedInput =
  | { readonly kind: 'feature'; readonly place: number; readonly feature: Feature }
  | { readonly kind: 'request'; readonly place: number }

/** The views whose rows the function is given, once each. */
export function inputViews({ inputs }: Pick<OnDemandView, 'inputs'>): readonly FeatureView[] {
  return [...new Set(inputs.flatMap((input) => (input.kind === 'feature' ? [input.view] : [])))]
}

/** The inputs of a view that is answered by itself: among the rows of these views, and these request values. */
export function placedInputs(view: OnDemandView): {
  readonly views: readonly FeatureView[]
  readonly requests: readonly RequestValue[]
  readonly placed: readonly PlacedInput[]
} {
  const views = inputViews(view)
  const requests = view.inputs.flatMap((input) => (input.kind === 'request' ? [input.request] : []))
  const placed = view.inputs.map((input): PlacedInput => {
    if (input.kind === 'request') return { kind: 'request', place: requests.indexOf(input.request) }
    return { kind: 'feature', place: views.indexOf(input.view), feature: input.feature }
  })
  return { views, requests, placed }
}

/** One row's inputs in the view's order; or why one of them is not known. */
export type GatheredInputs = readonly (Value | null)[] | UnavailableReason

/**
 * A missing feature is null, as wherever it is asked for. What is not known must not be taken for missing: the function would
 * answer as of an entity without a history.
 */
export function gatherInputs(
  placed: readonly PlacedInput[],
  rows: readonly ViewRow[],
  requests: readonly (Value | null)[],
): GatheredInputs {
  const inputs: (Value | null)[] = []
  for (const input of placed) {
    if (input.kind === 'request') {
      inputs.push(requests[input.place] ?? null)
      continue
    }
    const row = rows[input.place]
    if (!row) throw new TypeError(`feature ${input.feature.name} was not read for an on-demand view`)
    if (row.$status === 'UNAVAILABLE') return row.$reason ?? 'STORE_FAILED'
    const value = rowValue(row, input.feature.graphqlName)
    if (value === null && row.$lacking?.has(input.feature.id)) return 'RECOMPUTING'
    inputs.push(value)
  }
  return inputs
}

/** The values of one on-demand view, a row at a time, on this process's own loop: a function must be quick. */
export type ComputeOnDemand = (inputs: GatheredInputs) => ComputedRow

export function onDemandComputer(
  view: OnDemandView,
  functions: OnDemandFunctions,
  onFailure: OnComputeFailure,
): ComputeOnDemand {
  const plan = computePlan(view)
  return (inputs) => {
    if (typeof inputs === 'string') return unavailableRow(plan, inputs)
    const compute = functions.find(view)
    return compute === null
      ? unavailableRow(plan, 'NO_FUNCTION')
      : computeRow(plan, compute, inputs, onFailure)
  }
}
