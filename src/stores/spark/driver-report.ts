import { z } from 'zod'

/** What `run-spark.py` prints last. */
export type DriverReport =
  | { readonly kind: 'DONE'; readonly rows: number }
  | { readonly kind: 'REFUSED'; readonly reason: string }

const prefix = 'featuregraph-report '

const report = z.union([
  z.object({ rows: z.int().nonnegative() }).transform(({ rows }) => ({ kind: 'DONE', rows }) as const),
  z
    .object({ refused: z.string() })
    .transform(({ refused: reason }) => ({ kind: 'REFUSED', reason }) as const),
])

/** Null for a line of a log. */
export function readReport(line: string): DriverReport | null {
  if (!line.startsWith(prefix)) return null
  try {
    return report.parse(JSON.parse(line.slice(prefix.length)))
  } catch {
    return null
  }
}
