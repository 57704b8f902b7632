import { z } from 'zod'
import type { EventSource } from '../../registry/registry.ts'

const named = z.record(z.string(), z.unknown())

/** What is stored of a pushed row or event, and of a file's row, by registry name. */
export const entryContent = z.object({
  key: named,
  values: named,
  eventTimestamp: z.unknown(),
  createdTimestamp: z.unknown().optional(),
  eventId: z.unknown().optional(),
})

/** With the names of the source's messages. */
export function asMessage(source: EventSource, content: unknown): unknown {
  const parsed = entryContent.safeParse(content)
  if (!parsed.success) return content
  const { key, values, eventTimestamp, eventId } = parsed.data
  const all = { ...values, ...key }
  const fields = source.fields.flatMap(({ name, column }) =>
    Object.hasOwn(all, name) ? [[column, all[name]] as const] : [],
  )
  return {
    [source.eventTimestamp]: eventTimestamp,
    ...(source.eventId === null ? {} : { [source.eventId]: eventId }),
    ...Object.fromEntries(fields),
  }
}

/** Bytes as the database's JSON has them. */
const storedBytes = z.object({ type: z.literal('Buffer'), data: z.array(z.number()) })

export function withBytes(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withBytes)
  const bytes = storedBytes.safeParse(value)
  return bytes.success ? Buffer.from(bytes.data.data) : value
}
