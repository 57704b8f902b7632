import { z } from 'zod'
import { formatProblem } from './timestamp-format.ts'

/** What one of an epoch integer is. */
const epochUnits = ['s', 'ms', 'us', 'ns'] as const
export type EpochUnit = (typeof epochUnits)[number]

/**
 * How a source's files and messages write what has more than one form. `unit`: timestamps that are numbers count these
 * from 1970 on. `dates`: a timestamp that is a date alone is its midnight in the source's timezone, UTC without one.
 * `format`: how timestamps are written that are not RFC 3339, by strptime's directives. `nulls`: values of files that stand
 * for null, also in strings and join keys. `decimalComma`: numbers in CSV have a comma before their fraction.
 */
export const readingOptions = {
  unit: z.enum(epochUnits, { error: `unit is one of ${epochUnits.join(', ')}` }).optional(),
  dates: z.boolean({ error: 'dates is true or false' }).optional(),
  format: z
    .string()
    .superRefine((format, context) => {
      const problem = formatProblem(format)
      if (problem !== null) context.addIssue({ code: 'custom', message: problem })
    })
    .optional(),
  nulls: z.array(z.string()).optional(),
  decimalComma: z.boolean({ error: 'decimalComma is true or false' }).optional(),
} as const

/** As checked; what is not declared is null, false or empty. */
export interface SourceReading {
  readonly unit: EpochUnit | null
  readonly dates: boolean
  readonly format: string | null
  readonly nulls: readonly string[]
  readonly decimalComma: boolean
}

interface DeclaredReading {
  readonly unit?: EpochUnit | undefined
  readonly dates?: boolean | undefined
  readonly format?: string | undefined
  readonly nulls?: readonly string[] | undefined
  readonly decimalComma?: boolean | undefined
}

export function sourceReading(declared: DeclaredReading): SourceReading {
  const { unit = null, dates = false, format = null, nulls = [], decimalComma = false } = declared
  return { unit, dates, format, nulls, decimalComma }
}
