import type { AsOfSnapshot } from '../../stores/as-of-snapshot.ts'
import type { TableEstimate } from '../../stores/table-estimate.ts'
import type { AnswerPlan } from './answer-columns.ts'

/** Of every view that is read, by its id; one round trip or a few each. */
export async function tableEstimates(
  { reads }: AnswerPlan,
  snapshot: Pick<AsOfSnapshot, 'estimate'>,
): Promise<ReadonlyMap<string, TableEstimate>> {
  const views = [...new Set(reads.map(({ read }) => read.view))]
  return new Map(
    await Promise.all(views.map(async (view) => [view.id, await snapshot.estimate(view)] as const)),
  )
}
