import type { Report } from '../errors.ts'
import { cronProblem } from './cron-firings.ts'
import type { Schedule } from './registry.ts'

interface ScheduleParsed {
  readonly batch?: string | undefined
  readonly materialize?: string | undefined
}

/** A view's cron expressions, which must fire; `online: false` leaves nothing to materialize. */
export function resolveSchedule(
  view: { readonly name: string; readonly online: boolean; readonly schedule?: ScheduleParsed | undefined },
  report: Report,
): Schedule {
  const { batch = null, materialize = null } = view.schedule ?? {}
  for (const [name, expression] of Object.entries({ batch, materialize })) {
    const problem = expression === null ? null : cronProblem(expression)
    if (problem === null) continue
    report({
      path: `feature view ${view.name}.schedule.${name}`,
      message: `expected a cron expression of 5 or 6 fields in UTC, as "15 0 * * *"; got ${JSON.stringify(expression)}: ${problem}`,
    })
  }
  if (materialize !== null && !view.online) {
    report({
      path: `feature view ${view.name}.schedule.materialize`,
      message: 'a view with online: false is not materialized; leave one of the two out',
    })
  }
  return { batch, materialize }
}
