import { z } from 'zod'
import { duration } from './duration.ts'
import { fieldLiteral } from './event-source.ts'
import { featureNotes } from './feature-view.ts'
import { registryName } from './name.ts'
import type { DecimalType, ScalarType } from './value-type.ts'

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

type OfField<Aggregate extends AggregateName> = <const Field extends string>(
  field: Field,
  window: string,
  options?: AggregationOptions,
) => AggregationDefinition & { readonly aggregate: Aggregate; readonly field: Field }

function ofField<Aggregate extends AggregateName>(aggregate: Aggregate): OfField<Aggregate> {
  return (field, window, options = {}) => ({ aggregate, field, window, ...options })
}

/** Events in the window, whatever their values; int64. */
export function count(
  window: string,
  options: AggregationOptions = {},
): AggregationDefinition & { readonly aggregate: 'count' } {
  return { aggregate: 'count', window, ...options }
}

/**
 * 0 for an empty window. Of an integer field an exact int64, of a decimal one the exact decimal (both null with a violation
 * beyond 64 bits), else float64.
 */
export const sum: OfField<'sum'> = ofField('sum')
/** float64; null for an empty window. */
export const mean: OfField<'mean'> = ofField('mean')
/** Of the field's type; null for an empty window. */
export const min: OfField<'min'> = ofField('min')
/** Of the field's type; null for an empty window. */
export const max: OfField<'max'> = ofField('max')
/** Of the sample, float64; null below two values. */
export const variance: OfField<'variance'> = ofField('variance')
/** Of the sample, float64; null below two values. */
export const stddev: OfField<'stddev'> = ofField('stddev')
/** Different values, exactly; int64. */
export const countDistinct: OfField<'countDistinct'> = ofField('countDistinct')
/** The field of the earliest event that has it. */
export const first: OfField<'first'> = ofField('first')
/** The field of the latest event that has it. */
export const last: OfField<'last'> = ofField('last')

type FieldType<Fields, Field> = Field extends keyof Fields
  ? Fields[Field] extends { readonly type: infer Type extends ScalarType }
    ? Type
    : Extract<Fields[Field], ScalarType>
  : ScalarType

/** For the compiler: what `aggregatedType` says of one aggregation of a source with these fields. */
export type AggregatedType<Aggregation, Fields> = Aggregation extends {
  readonly aggregate: 'count' | 'countDistinct'
}
  ? 'int64'
  : Aggregation extends { readonly aggregate: 'mean' | 'variance' | 'stddev' }
    ? 'float64'
    : Aggregation extends { readonly aggregate: 'sum'; readonly field: infer Field }
      ? SumType<FieldType<Fields, Field>>
      : Aggregation extends { readonly field: infer Field }
        ? FieldType<Fields, Field>
        : ScalarType

type SumType<Type> = Type extends DecimalType ? Type : Type extends 'int32' | 'int64' ? 'int64' : 'float64'
