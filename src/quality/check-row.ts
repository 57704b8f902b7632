import type { ExpectationAction } from '../definitions/expectation.ts'
import type { Micros } from '../definitions/timestamp.ts'
import type { FeatureRow } from '../definitions/value.ts'
import type { ValueType } from '../definitions/value-type.ts'
import type { Expectation } from '../registry/registry.ts'
import type { Violation } from '../stores/violation-store.ts'
import { brokenAge, brokenRules } from './expectations.ts'

/** What a row's expectations say when it enters, and the strictest action that they ask for; null when it breaks none. */
export interface CheckedRow {
  readonly violations: readonly Violation[]
  readonly action: ExpectationAction | null
}

const strictness: readonly ExpectationAction[] = ['reject', 'quarantine', 'warn']

/** What rows are checked against: a feature view, or an event source whose fields stand for features. */
interface Expecting {
  /** What its violations are recorded under. */
  readonly id: string
  readonly features: readonly {
    readonly name: string
    readonly type: ValueType
    readonly expectation: Expectation | null
  }[]
}

/** Checks an accepted row against every expectation of its view, feature by feature; `values` in the features' order. */
export function checkRow(view: Expecting, row: FeatureRow, now: Micros): CheckedRow {
  const violations: Violation[] = []
  view.features.forEach(({ name, type, expectation }, index) => {
    if (expectation === null) return
    const broken = [...brokenRules(expectation, type, row.values[index] ?? null)]
    const age = brokenAge(expectation, row.eventTimestamp, now)
    if (age) broken.push(age)
    for (const rule of broken) {
      violations.push({
        view: view.id,
        feature: name,
        key: row.key.map(String),
        ...rule,
        action: expectation.action,
        eventTimestamp: row.eventTimestamp,
        recordedAt: now,
      })
    }
  })
  return {
    violations,
    action: strictness.find((action) => violations.some((one) => one.action === action)) ?? null,
  }
}
