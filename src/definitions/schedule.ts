import { z } from 'zod'

const cron = z
  .string()
  .regex(/^(?:\S+\s+){4,5}\S+$/, 'a schedule is a cron expression of 5 or 6 fields in UTC, as "15 0 * * *"')

/** When the worker runs what, in UTC; what is left out runs by its default. */
export const schedule = z.strictObject({
  batch: cron.optional(),
  materialize: cron.optional(),
})
