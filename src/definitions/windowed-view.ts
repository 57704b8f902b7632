import { z } from 'zod'
import { type AggregatedType, type AggregationDefinition, aggregationDefinition } from './aggregation.ts'
import { duration } from './duration.ts'
import { documented, type EntityDefinition, type JoinKeyName } from './entity.ts'
import type { EventSourceDefinition } from './event-source.ts'
import { expectationDefinition, rowCountExpectation } from './expectation.ts'
import { type PickableView, pickingFrom } from './feature-view.ts'
import { explicitGraphqlName, registryName, renamedFrom } from './name.ts'
import { schedule } from './schedule.ts'

const streamCompute = z.strictObject({ mode: z.literal('stream') })

const batchCompute = z.strictObject({
  mode: z.literal('batch'),
  every: duration,
})

export const windowedViewDefinition = z.strictObject({
  kind: z.literal('windowed-view'),
  name: registryName,
  entity: registryName,
  source: registryName,
  ttl: duration.optional(),
  online: z.boolean().default(true),
  compute: z.discriminatedUnion('mode', [batchCompute, streamCompute], {
    error: "compute is batch({ every: '1d' }), or another duration, or stream()",
  }),
  features: z
    .record(registryName, aggregationDefinition)
    .refine((features) => Object.keys(features).length > 0, {
      error: 'a windowed view has at least one feature',
    }),
  /** By feature, for those that have none of their own. */
  expect: z.record(registryName, expectationDefinition).default({}),
  expectRows: rowCountExpectation.optional(),
  schedule: schedule.optional(),
  graphqlName: explicitGraphqlName.optional(),
  renamedFrom,
  ...documented,
})

export type WindowedViewDefinition = z.input<typeof windowedViewDefinition>
export type BatchCompute = z.input<typeof batchCompute>
export type StreamCompute = z.input<typeof streamCompute>

/**
 * Snapshots at the multiples of `every` from the epoch in UTC. What is asked for at a time in between is answered by the
 * newest snapshot before it.
 */
export function batch(options: Omit<BatchCompute, 'mode'>): BatchCompute {
  return { mode: 'batch', ...options }
}

/**
 * At the very moment that is asked for: online from tiles that follow the stored events, as of a past time from the stored
 * events themselves; with `online: false` always from these. The ttl nulls nothing: windows slide by themselves.
 */
export function stream(): StreamCompute {
  return { mode: 'stream' }
}

type Fields = EventSourceDefinition['fields']

type Options<Entity, Features, SourceFields extends Fields> = Omit<
  WindowedViewDefinition,
  'kind' | 'name' | 'entity' | 'source' | 'features'
> & {
  readonly entity: Entity
  readonly source: EventSourceDefinition & { readonly fields: SourceFields }
  readonly features: Features
}

type AggregatedTypes<Features, SourceFields> = {
  readonly [Name in Extract<keyof Features, string>]: AggregatedType<Features[Name], SourceFields>
}

/**
 * Features that are aggregations of a source's events over windows, by the entity's join keys, which are fields of the
 * source. A window at t holds the events from `t - window`, rounded down to the hop, on and before t.
 */
export function windowedView<
  const Features extends Readonly<Record<string, AggregationDefinition>>,
  SourceFields extends Fields,
  const Entity extends EntityDefinition = EntityDefinition,
>(
  name: string,
  options: Options<Entity, Features, SourceFields>,
): PickableView<AggregatedTypes<Features, SourceFields>, WindowedViewDefinition, JoinKeyName<Entity>> {
  const { entity, source, ...rest } = options
  return {
    kind: 'windowed-view',
    name,
    entity: entity.name,
    source: source.name,
    ...rest,
    ...pickingFrom(name),
  }
}
