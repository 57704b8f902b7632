import { z } from 'zod'
import { columnName, nullCreated, timezone } from './data-source.ts'
import { duration } from './duration.ts'
import { documented } from './entity.ts'
import { expectationDefinition } from './expectation.ts'
import { registryName } from './name.ts'
import { readingOptions } from './source-reading.ts'
import { scalarType, shownTypes } from './value-type.ts'

/** A value that stands in a definition for one of an event's field; int64 beyond 2^53 is its decimal string. */
export const fieldLiteral = z.union([z.string(), z.number(), z.boolean()], {
  error: 'expected a string, a number or a boolean',
})

const eventFieldOptions = z.strictObject({
  type: scalarType,
  description: z.string().min(1).optional(),
  /** Taken where an event lacks the field or has null. */
  default: fieldLiteral.optional(),
  expect: expectationDefinition.optional(),
})

export const eventSourceDefinition = z
  .strictObject({
    kind: z.literal('event-source'),
    name: registryName,
    topic: z
      .string()
      .regex(/^[A-Za-z0-9._-]{1,249}$/, 'a topic has 1 to 249 letters, digits, dots, _ and -')
      .optional(),
    table: z.string().min(1).optional(),
    eventTimestamp: columnName,
    createdTimestamp: columnName.optional(),
    nullCreated: nullCreated.optional(),
    eventId: columnName.optional(),
    timezone: timezone.optional(),
    ...readingOptions,
    retention: duration.optional(),
    columns: z.record(registryName, columnName).default({}),
    fields: z
      .record(
        registryName,
        z.union([scalarType, eventFieldOptions], {
          error: `a field is a type (${shownTypes.scalar}) or { type, description, default, expect }`,
        }),
      )
      .refine((fields) => Object.keys(fields).length > 0, {
        error: 'an event source has at least one field',
      }),
    /** By field, for those that have none of their own. */
    expect: z.record(registryName, expectationDefinition).default({}),
    ...documented,
  })
  .refine((source) => source.topic === undefined || source.table === undefined, {
    error: 'an event source has a topic or a table, not both: a mapped table is never written',
  })
  .refine((source) => source.eventId === undefined || source.table === undefined, {
    error:
      'an eventId needs positions, which a mapped table does not have; map a view that drops the retries',
  })
  .refine((source) => source.retention === undefined || source.table === undefined, {
    error: 'a retention drops stored events; a mapped table is never written',
  })
  .refine(
    ({ table, unit, dates, format, nulls, decimalComma }) =>
      table === undefined ||
      [unit, dates, format, nulls, decimalComma].every((option) => option === undefined),
    {
      error:
        'unit, dates, format, nulls and decimalComma say how files and messages are read; a mapped table has neither',
    },
  )
  .refine(
    ({ nullCreated: meaning, createdTimestamp, table }) =>
      meaning === undefined || (createdTimestamp !== undefined && table === undefined),
    {
      error:
        'nullCreated says what a null in the created timestamp of files means: it needs createdTimestamp, and no table',
    },
  )

export type EventSourceDefinition = z.input<typeof eventSourceDefinition>

/**
 * Events that windowed views aggregate. They are stored in a table that the gateway makes, filled by `featuregraph import`
 * and from the topic; or, with `table`, they stand in an existing one, which is never written.
 * `eventTimestamp`, `createdTimestamp` and `eventId` name what the event's times and its own id are called in files,
 * messages or the table; `columns` maps fields to what they are called there where that differs. With an `eventId`, of
 * several events with the same id the one of the lowest position counts. An event of a file whose created timestamp is null
 * was known from when it happened, or with `nullCreated: 'arrival'` from its import on. `timezone` is that of times without an offset;
 * see `readingOptions` for the other forms of values.
 * With a `retention` the worker drops stored events by whole months (UTC) once all of a month is older; without one they are
 * kept for ever.
 */
export function eventSource<Fields extends EventSourceDefinition['fields']>(
  name: string,
  options: Omit<EventSourceDefinition, 'kind' | 'name' | 'fields'> & { readonly fields: Fields },
): EventSourceDefinition & { readonly fields: Fields } {
  return { kind: 'event-source', name, ...options }
}
