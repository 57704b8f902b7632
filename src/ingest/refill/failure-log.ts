import { messageOf } from '../../errors.ts'
import type { RunLog } from '../run-log.ts'

/** One line for each kind of failure, until it is over. */
export function failureLog(log: RunLog): {
  readonly report: (kind: string, line: string, error: unknown) => void
  readonly over: (kind: string) => void
} {
  const reported = new Set<string>()
  return {
    report(kind, line, error) {
      if (!reported.has(kind)) log.warn(`${line}: ${messageOf(error)}`, error)
      reported.add(kind)
    },
    over: (kind) => {
      reported.delete(kind)
    },
  }
}
