import { statusCode } from '../../definitions/row-status.ts'
import type { Value } from '../../definitions/value.ts'
import type { ComputedRow } from '../../on-demand/compute-row.ts'
import type { ComputeThread } from '../../on-demand/open-compute-thread.ts'
import type { ServiceComputation, ServicePlan } from '../../online/service-row.ts'
import type { Feature } from '../../registry/registry.ts'
import { ValueColumn } from '../../stores/value-column.ts'
import type { SpineRows } from '../spine/read-spine.ts'
import type { AnsweredColumn } from './answer-columns.ts'

const [notFound, unavailable, nullValue] = [
  statusCode('NOT_FOUND'),
  statusCode('UNAVAILABLE'),
  statusCode('NULL_VALUE'),
]

interface ComputeSources {
  /** Of a read of the plan. */
  readonly featureColumn: (feature: Feature, place: number) => AnsweredColumn
  readonly compute: ComputeThread['compute']
}

/**
 * Per on-demand view of the plan, a column a feature. As online: an input that is not known makes the row UNAVAILABLE without
 * a call. A row without a join key or a time is NOT_FOUND.
 */
export async function computeColumns(
  spine: SpineRows,
  { computations }: Pick<ServicePlan, 'computations'>,
  sources: ComputeSources,
): Promise<readonly (readonly AnsweredColumn[])[]> {
  const columns: (readonly AnsweredColumn[])[] = []
  for (const one of computations) columns.push(await computeView(one, spine, sources))
  return columns
}

async function computeView(
  { view, inputs }: ServiceComputation,
  { rows, keys, times, requests }: SpineRows,
  { featureColumn, compute }: ComputeSources,
): Promise<readonly AnsweredColumn[]> {
  const given = inputs.map((input) =>
    input.kind === 'feature' ? featureColumn(input.feature, input.place) : requests[input.place],
  )
  const statuses = new Uint8Array(rows).fill(notFound)
  const asked: number[] = []
  const askedInputs: (readonly (Value | null)[])[] = []
  for (let row = 0; row < rows; row += 1) {
    if (Number.isNaN(times[row] ?? Number.NaN) || keys.some((column) => column.isNull(row))) continue
    if (given.some((column) => column && 'statuses' in column && column.statuses[row] === unavailable)) {
      statuses[row] = unavailable
      continue
    }
    asked.push(row)
    askedInputs.push(
      given.map((column) => (column && 'statuses' in column ? column.values : column)?.at(row) ?? null),
    )
  }
  const answers = await compute(view, askedInputs)
  return view.features.map((feature, place) => column(feature, place, { rows, statuses, asked, answers }))
}

interface Computed {
  readonly rows: number
  /** Of the rows that were not asked for. */
  readonly statuses: Uint8Array
  /** Rows of the spine, by the answers. */
  readonly asked: readonly number[]
  readonly answers: readonly ComputedRow[]
}

function column(
  { type }: Feature,
  place: number,
  { rows, statuses, asked, answers }: Computed,
): AnsweredColumn {
  const values = new ValueColumn(type, rows)
  const own = Uint8Array.from(statuses)
  answers.forEach((answer, index) => {
    const row = asked[index] ?? 0
    const value = answer.values[place] ?? null
    own[row] = value === null && answer.status === 'PRESENT' ? nullValue : statusCode(answer.status)
    if (value !== null) values.set(row, value)
  })
  return { values, statuses: own }
}
