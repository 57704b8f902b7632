import { z } from 'zod'
import { duration } from './duration.ts'

/** What happens to a row that breaks an expectation: it is reported, kept out of both stores, or refused to its sender. */
const expectationActions = ['warn', 'quarantine', 'reject'] as const
export type ExpectationAction = (typeof expectationActions)[number]

const action = z
  .enum(expectationActions, { error: `an action is one of ${expectationActions.join(', ')}` })
  .default('warn')

const minIsAtMostMax = { error: 'expected min to be at most max' }

/**
 * How many rows a snapshot, or a file of rows, should have. Quarantine and reject both keep the whole of it out of both
 * stores and fail the run.
 */
export const rowCountExpectation = z
  .strictObject({ min: z.int().min(0).optional(), max: z.int().min(0).optional(), action })
  .refine(({ min, max }) => min !== undefined || max !== undefined, {
    error: 'an expected row count has min, max or both',
  })
  .refine(({ min, max }) => min === undefined || max === undefined || min <= max, minIsAtMostMax)

/**
 * What a feature's values should be. `min` and `max` hold themselves; null breaks only `notNull`; `maxAge` is the age
 * of the row's event timestamp when it enters.
 */
export const expectationDefinition = z
  .strictObject({
    min: z.number().optional(),
    max: z.number().optional(),
    notNull: z.boolean().optional(),
    oneOf: z
      .array(z.union([z.string(), z.number(), z.boolean()]))
      .min(1, 'expected at least one value')
      .optional(),
    maxAge: duration.optional(),
    action,
  })
  .refine(
    ({ min, max, notNull, oneOf, maxAge }) =>
      [min, max, notNull, oneOf, maxAge].some((rule) => rule !== undefined),
    {
      error: 'an expectation has at least one of min, max, notNull, oneOf and maxAge',
    },
  )
  .refine(({ min, max }) => min === undefined || max === undefined || min <= max, minIsAtMostMax)
