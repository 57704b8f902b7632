import pg from 'pg'
import type { Micros } from '../../src/definitions/timestamp.ts'
import type { EventSource } from '../../src/registry/registry.ts'
import { eventTable } from '../../src/stores/postgres/tables/event-table.ts'
import { waitUntil } from '../services/wait-until.ts'
import type { ProducedMessage } from './producer.ts'

/** A stored event's number and place. */
interface StoredEvent {
  readonly seq: number
  readonly place: string
  readonly storedAt: Micros
}

interface Stored {
  readonly kept: readonly StoredEvent[]
  /** The places of messages that were dead-lettered, each as often as it was. */
  readonly deadLettered: readonly string[]
}

/** All that became of a project's messages. How tables are named and what they hold is reported in this file only. */
export async function readStored(pool: pg.Pool, project: string, source: EventSource): Promise<Stored> {
  const kept = await pool.query<{ seq: string; place: string; kept_at: string }>(
    `select x.seq, t.topic || '/' || x.partition || '@' || x."offset" as place,
       (extract(epoch from x.ingested_at) * 1000000)::bigint as kept_at
     from ${eventTable(project, source)} as x join featuregraph.event_topics as t on t.id = x.topic_id`,
  )
  const deadLettered = await pool.query<{ place: string }>(
    `select concat(t.topic, '/', q.partition, '@', q."offset") as place
     from featuregraph.quarantine as q join featuregraph.event_topics as t on t.id = q.topic_id
     where q.project = $1`,
    [project],
  )
  return {
    kept: kept.rows.map(({ seq, place, kept_at }) => ({
      seq: Number(seq),
      place,
      storedAt: Number(kept_at),
    })),
    deadLettered: deadLettered.rows.map(({ place }) => place),
  }
}

export interface HeldEvents {
  /** Resolves when somebody waits for them; rejects when nobody does for long. */
  readonly untilAsked: (by: keyof typeof lockModes) => Promise<void>
  /** Also a second time. */
  readonly release: () => Promise<void>
}

const lockModes = { 'by a reader': 'AccessShareLock', 'by a writer': 'RowExclusiveLock' } as const

/** Every reader and writer of events waits from here on. */
export async function holdEvents(url: string, project: string, source: EventSource): Promise<HeldEvents> {
  const table = eventTable(project, source)
  const client = new pg.Client({ connectionString: url })
  client.on('error', () => {})
  await client.connect()
  await client.query('begin')
  await client.query(`lock table ${table} in access exclusive mode`)
  return {
    async untilAsked(by) {
      const isAsked = async (): Promise<boolean> => {
        const { rows } = await client.query<{ asked: boolean }>(
          `select exists (select from pg_locks
             where relation = $1::regclass and mode = $2 and not granted) as asked`,
          [table, lockModes[by]],
        )
        return rows[0]?.asked === true
      }
      await waitUntil(isAsked, `the stored events are asked for ${by}`)
    },
    release: () => client.end(),
  }
}

export async function countStored(pool: pg.Pool, project: string, source: EventSource): Promise<number> {
  const { rows } = await pool.query<{ n: number }>(
    `select count(*)::int as n from ${eventTable(project, source)}`,
  )
  return rows[0]?.n ?? 0
}

const allowedAhead: Micros = 600_000_000

/**
 * Why not every event is stored once and the rest dead-lettered once, at its place; empty when it is so. An event from ahead
 * may be either when the moment of its decision, between `sentAt` and `now`, is what it depends on.
 */
export function misplaced(
  topic: string,
  produced: readonly ProducedMessage[],
  { kept, deadLettered }: Stored,
  now: Micros,
): readonly string[] {
  const places = new Map(
    produced.map(({ seq, partition, offset }) => [seq, `${topic}/${partition}@${offset}`]),
  )
  const storedAs = new Map<number, string[]>()
  for (const { seq, place } of kept) storedAs.set(seq, [...(storedAs.get(seq) ?? []), place])
  const deadLetterTimes = new Map<string, number>()
  for (const place of deadLettered) deadLetterTimes.set(place, (deadLetterTimes.get(place) ?? 0) + 1)
  const problems = produced.flatMap(({ seq, event, sentAt }) => {
    const place = places.get(seq) ?? ''
    const of = `message ${seq}, ${place}`
    const standing = storedAs.get(seq) ?? []
    const deadLetters = deadLetterTimes.get(place) ?? 0
    if (standing.length + deadLetters === 0) return [`${of}, is lost`]
    if (standing.length > 1) return [`${of}, is kept ${standing.length} times`]
    if (deadLetters > 1) return [`${of}, is dead-lettered ${deadLetters} times`]
    if (standing.length + deadLetters > 1) return [`${of}, is both stored and dead-lettered`]
    if (standing[0] !== undefined && standing[0] !== place) return [`${of}, is kept as ${standing[0]}`]
    const mayBeStored = event !== null && event.at <= now + allowedAhead
    const mayBeDeadLettered = event === null || event.at > sentAt + allowedAhead
    if (standing.length === 1 && !mayBeStored) return [`${of}, is stored and was to be dead-lettered`]
    if (deadLetters === 1 && !mayBeDeadLettered) return [`${of}, is dead-lettered and was to be stored`]
    return []
  })
  const sent = new Set(places.values())
  const unknown = [
    ...kept
      .filter(({ seq }) => !places.has(seq))
      .map(({ seq, place }) => `message ${seq}, ${place}, is kept`),
    ...deadLettered.filter((place) => !sent.has(place)).map((place) => `${place} is dead-lettered`),
  ]
  return [...problems, ...unknown.map((text) => `${text} and was never sent`)]
}
