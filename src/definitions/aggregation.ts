import { z } from 'zod'
import { duration } from './duration.ts'
import { fieldLiteral } from './event-source.ts'
import { featureNotes } from './feature-view.ts'
import { registryName } from './name.ts'

const aggregateNames = [
  'count',
  'sum',
  'mean',
  'min',
  'max',
  'variance',
  'stddev',
  'countDistinct',
  'first',
  'last',
] as const
export type AggregateName = (typeof aggregateNames)[number]

export const aggregationDefinition = z
  .strictObject(
    {
      aggregate: z.enum(aggregateNames),
      field: registryName.optional(),
      window: duration,
      hop: duration.optional(),
      where: z.record(registryName, fieldLiteral.nullable()).optional(),
      ...featureNotes,
    },
    {
      error: `a windowed view's feature is an aggregation: ${aggregateNames.join(', ')}, as sum('amount', '30d')`,
    },
  )
  .refine(({ aggregate, field }) => (aggregate === 'count') === (field === undefined), {
    error: 'count takes a window only, every other aggregation a field and a window',
  })

export type AggregationDefinition = z.input<typeof aggregationDefinition>

/**
 * `where` counts only events whose fields equal the given values; null matches only null. `hop` is the step in which a
 * window's tail moves; without it the largest of 1 d, 1 h, 5 min, 1 min and 5 s that fits at least twelve times, so
 * that a window under a minute must give it. The rest is as for a plain feature.
 */
type AggregationOptions = Omit<AggregationDefinition, 'aggregate' | 'field' | 'window'>

type OfField = (field: string, window: string, options?: AggregationOptions) => AggregationDefinition

function ofField(aggregate: AggregateName): OfField {
  return (field, window, options = {}) => ({ aggregate, field, window, ...options })
}

/** Events in the window, whatever their values; int64. */
export function count(window: string, options: AggregationOptions = {}): AggregationDefinition {
  return { aggregate: 'count', window, ...options }
}

/**
 * 0 for an empty window. Of an integer field an exact int64, of a decimal one the exact decimal (both null with a violation
 * beyond 64 bits), else float64.
 */
export const sum: OfField = ofField('sum')
/** float64; null for an empty window. */
export const mean: OfField = ofField('mean')
/** Of the field's type; null for an empty window. */
export const min: OfField = ofField('min')
/** Of the field's type; null for an empty window. */
export const max: OfField = ofField('max')
/** Of the sample, float64; null below two values. */
export const variance: OfField = ofField('variance')
/** Of the sample, float64; null below two values. */
export const stddev: OfField = ofField('stddev')
/** Different values, exactly; int64. */
export const countDistinct: OfField = ofField('countDistinct')
/** The field of the earliest event that has it. */
export const first: OfField = ofField('first')
/** The field of the latest event that has it. */
export const last: OfField = ofField('last')
