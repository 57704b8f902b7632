import { type ComputedRow, computePlan, unavailableRow } from '../../on-demand/compute-row.ts'
import type { ComputeThread } from '../../on-demand/open-compute-thread.ts'
import { gatherInputs } from '../../online/on-demand.ts'
import type { ServiceComputation, ServicePlan } from '../../online/service-row.ts'
import type { JoinedRow } from './join-rows.ts'

/** Joined rows with the values of the on-demand views, which are computed for all rows together. */
export async function computeJoined(
  { computations }: Pick<ServicePlan, 'computations'>,
  joined: readonly JoinedRow[],
  compute: ComputeThread['compute'],
): Promise<readonly JoinedRow[]> {
  if (computations.length === 0) return joined
  const columns: (readonly (ComputedRow | null)[])[] = []
  for (const computation of computations) columns.push(await computeColumn(computation, joined, compute))
  return joined.map((row, index) => {
    const computed = columns.flatMap((column) => column[index] ?? [])
    return row === null ? null : { ...row, computed }
  })
}

async function computeColumn(
  { view, inputs: placed }: ServiceComputation,
  joined: readonly JoinedRow[],
  compute: ComputeThread['compute'],
): Promise<readonly (ComputedRow | null)[]> {
  const plan = computePlan(view)
  const inputs = joined.map((row) => (row === null ? null : gatherInputs(placed, row.rows, row.requests)))
  const known = inputs.flatMap((one) => (one === null || typeof one === 'string' ? [] : [one]))
  const computed = (await compute(view, known)).values()
  return inputs.map((one) => {
    if (one === null) return null
    return typeof one === 'string' ? unavailableRow(plan, one) : (computed.next().value ?? null)
  })
}
