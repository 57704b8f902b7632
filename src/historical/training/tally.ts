import { type FeatureStatus, featureStatuses } from '../../definitions/row-status.ts'
import type { Micros } from '../../definitions/timestamp.ts'
import type { ServicePlan } from '../../online/service-row.ts'
import { brokenRules } from '../../quality/expectations.ts'
import type { FeatureCounts, SpineCounts } from '../../stores/training-counts.ts'
import type { SpineRows } from '../spine/read-spine.ts'
import type { AnsweredColumn } from './answer-columns.ts'

/** What the card says of rows and values, counted while they pass. */
export interface Tally {
  readonly add: (spine: SpineRows, answered: readonly AnsweredColumn[]) => void
  readonly spine: () => SpineCounts
  readonly features: () => readonly FeatureCounts[]
}

const noStatuses: Readonly<Record<FeatureStatus, number>> = {
  ...{ PRESENT: 0, NOT_FOUND: 0, OUTSIDE_TTL: 0, UNAVAILABLE: 0, NULL_VALUE: 0, FAILED: 0 },
}

export function tallyOf({ entries }: ServicePlan, takenAt: Micros): Tally {
  const spine = { rows: 0, missingKeys: 0, missingTimes: 0, ahead: 0 }
  let [from, to]: [Micros | null, Micros | null] = [null, null]
  const counted = entries.map(({ entry: { name, type } }) => ({
    ...{ name, type, statuses: { ...noStatuses }, defaulted: 0, violated: 0 },
  }))
  return {
    add({ rows, keys, times }, answered) {
      spine.rows += rows
      for (let row = 0; row < rows; row += 1) {
        const asOf = times[row] ?? Number.NaN
        if (keys.some((column) => column.isNull(row))) spine.missingKeys += 1
        if (Number.isNaN(asOf)) {
          spine.missingTimes += 1
          continue
        }
        if (asOf > takenAt) spine.ahead += 1
        from = from === null ? asOf : Math.min(from, asOf)
        to = to === null ? asOf : Math.max(to, asOf)
      }
      answered.forEach(({ values, statuses }, place) => {
        const [own, planned] = [counted[place], entries[place]]
        if (!own || !planned) return
        const byCode = new Uint32Array(featureStatuses.length)
        for (const code of statuses) byCode[code] = (byCode[code] ?? 0) + 1
        featureStatuses.forEach((status, code) => {
          own.statuses[status] += byCode[code] ?? 0
        })
        for (let row = 0; row < rows; row += 1) if (values.isNull(row)) own.defaulted += 1
        const { entry } = planned
        if (entry.kind === 'request' || entry.feature.expectation === null) return
        for (let row = 0; row < rows; row += 1)
          if (brokenRules(entry.feature.expectation, entry.type, values.at(row)).length > 0) own.violated += 1
      })
    },
    spine: () => ({ ...spine, from, to }),
    features: () => counted.filter((_, place) => entries[place]?.entry.kind !== 'request'),
  }
}
