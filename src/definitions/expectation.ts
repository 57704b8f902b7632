import { z } from 'zod'
import { duration } from './duration.ts'

/** What happens to a row that breaks an expectation: it is told, kept out of both stores, or refused to its sender. */
const expectationActions = ['warn', 'quarantine', 'reject'] as const
export type ExpectationAction = (typeof expectationActions)[number]

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
    action: z
      .enum(expectationActions, { error: `an action is one of ${expectationActions.join(', ')}` })
      .default('warn'),
  })
  .refine(
    ({ min, max, notNull, oneOf, maxAge }) =>
      [min, max, notNull, oneOf, maxAge].some((rule) => rule !== undefined),
    {
      error: 'an expectation has at least one of min, max, notNull, oneOf and maxAge',
    },
  )
  .refine(({ min, max }) => min === undefined || max === undefined || min <= max, {
    error: 'expected min to be at most max',
  })
