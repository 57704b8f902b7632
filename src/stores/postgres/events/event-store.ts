import pg from 'pg'
import { formatTimestamp, type Micros } from '../../../definitions/timestamp.ts'
import type { ScalarValue } from '../../../definitions/value.ts'
import type { StoredEvent } from '../../event-log.ts'
import type { EventStore } from '../../event-store.ts'
import type { StoredEventSource } from '../../stored-event-source.ts'
import { fromSql, microsOf, selectExpression } from '../sql/column-type.ts'
import { databaseNow } from '../sql/database-clock.ts'
import { endingHungWriters } from '../sql/end-hung-writers.ts'
import { quoteIdentifier } from '../sql/identifier.ts'
import { inTransaction, storeFailed } from '../sql/pool.ts'
import { eventTable } from '../tables/event-table.ts'
import { correctMoments, toleratedAheadMicros } from './correct-moments.ts'
import { counts } from './counted-events.ts'
import { hourMicros } from './event-arrivals.ts'
import { makeEventMonth, monthOf } from './event-months.ts'
import { adoptTopic, openTopic, topicIdOf } from './event-topics.ts'
import { appendEvents, deletedEvents, storeMessages } from './store-events.ts'

const checkViolation = '23514'

/** Stored events of streams and of those who append by themselves. */
export function postgresEventStore(pool: pg.Pool, project: string): EventStore {
  const topicIds = new Map<string, number>()
  const months = new Set<string>()

  async function topicId(topic: string): Promise<number> {
    const known = topicIds.get(topic)
    if (known !== undefined) return known
    const made = await topicIdOf(pool, project, topic)
    topicIds.set(topic, made)
    return made
  }

  /** Before the transaction: one that waited for another connection of the pool could wait for itself. */
  async function prepare(
    source: StoredEventSource,
    topic: string,
    events: readonly { readonly eventTimestamp: Micros }[],
  ): Promise<number> {
    for (const number of new Set(
      events.map(({ eventTimestamp }) => Math.floor(eventTimestamp / hourMicros)),
    )) {
      const eventTimestamp = number * hourMicros
      const month = `${source.name} ${monthOf(eventTimestamp)}`
      if (months.has(month)) continue
      await makeEventMonth(pool, pool, project, source, eventTimestamp)
      months.add(month)
    }
    return await topicId(topic)
  }

  /**
   * In one transaction, behind `prepare`; once more if a month that is known here was dropped meanwhile. Then moments are
   * corrected if those before lie ahead.
   */
  async function keeping<Outcomes>(
    source: StoredEventSource,
    topic: string,
    events: readonly { readonly eventTimestamp: Micros }[],
    storedAt: Micros,
    work: (
      client: pg.ClientBase,
      topicId: number,
    ) => Promise<{ readonly outcomes: Outcomes; readonly latest: Micros }>,
  ): Promise<Outcomes> {
    const attempt = async () => {
      const id = await prepare(source, topic, events)
      return await inTransaction(pool, (client) => endingHungWriters(pool, client, work(client, id)))
    }
    const { outcomes, latest } = await attempt()
      .catch((error: unknown) => {
        if (!(error instanceof pg.DatabaseError) || error.code !== checkViolation) throw error
        for (const { eventTimestamp } of events) months.delete(`${source.name} ${monthOf(eventTimestamp)}`)
        return attempt()
      })
      .catch(storeFailed(`keeping events of ${source.name}`))
    // The events are stored: a correction that fails is made by the next who finds the moments ahead.
    if (latest > storedAt + toleratedAheadMicros) await correctMoments(pool, project, source).catch(() => 0)
    return outcomes
  }

  return {
    openTopic: (name, identity) =>
      openTopic(pool, project, name, identity).catch(storeFailed(`opening topic ${name}`)),
    adoptTopic: (name, identity) =>
      adoptTopic(pool, project, name, identity).catch(storeFailed(`adopting topic ${name}`)),
    now: () => databaseNow(pool).catch(storeFailed('reading its clock')),
    storeMessages: (source, topic, messages, storedAt) =>
      keeping(source, topic, messages.events, storedAt, (client, id) =>
        storeMessages(client, { project, source, topicId: id, storedAt }, messages),
      ),
    append: (source, topic, events, storedAt) =>
      keeping(source, topic, events, storedAt, (client, id) =>
        appendEvents(client, { project, source, topicId: id, storedAt }, events),
      ),
    correctMoments: (source) =>
      correctMoments(pool, project, source).catch(storeFailed(`correcting moments of ${source.name}`)),
    deletedEvents: (source, events) =>
      deletedEvents(pool, project, source, events).catch(
        storeFailed(`asking for deletions of ${source.name}`),
      ),
    async deletionMark() {
      const { rows } = await pool
        .query<{ mark: string }>(
          `select coalesce((select marks from featuregraph.deletion_secrets where project = $1), 0) || ' '
             || coalesce((select max(id) from featuregraph.clock_corrections where project = $1), 0) as mark`,
          [project],
        )
        .catch(storeFailed('reading deletions'))
      return rows[0]?.mark ?? ''
    },
    async recordWatermarks(source, watermarks) {
      await pool
        .query(
          `insert into featuregraph.event_positions (project, source, topic_id, partition, next_offset, level_at)
           select $1, $2, t.id, l.partition, l.next_offset, l.at
           from unnest($3::text[], $4::int[], $5::timestamptz[], $6::bigint[]) as l(topic, partition, at, next_offset)
           join featuregraph.event_topics as t on t.project = $1 and t.topic = l.topic
           order by t.id, l.partition
           on conflict (project, source, topic_id, partition) do update
           set level_at = greatest(event_positions.level_at, excluded.level_at),
             next_offset = greatest(event_positions.next_offset, excluded.next_offset)`,
          [
            project,
            source.name,
            watermarks.map(({ topic }) => topic),
            watermarks.map(({ partition }) => partition),
            watermarks.map(({ at }) => formatTimestamp(at)),
            watermarks.map(({ nextOffset }) => nextOffset),
          ],
        )
        .catch(storeFailed(`recording how far ${source.name} is kept`))
    },
    async positions(source) {
      const { rows } = await pool
        .query<{
          topic: string
          topic_id: number
          partition: number
          next_offset: string
          level_at: string | null
          is_streamed: boolean
        }>(
          `select t.topic, p.topic_id, p.partition, p.next_offset, ${microsOf('p.level_at')} as level_at,
             exists (select from featuregraph.stream_topics as s
               where s.project = p.project and s.name = $3 and s.topic_id = p.topic_id) as is_streamed
           from featuregraph.event_positions as p
           join featuregraph.event_topics as t on t.id = p.topic_id
           where p.project = $1 and p.source = $2 order by t.topic, p.partition`,
          [project, source.name, source.topic],
        )
        .catch(storeFailed(`reading how far ${source.name} is kept`))
      return rows.map(({ topic, topic_id, partition, next_offset, level_at, is_streamed }) => ({
        topic,
        topicNumber: topic_id,
        partition,
        nextOffset: Number(next_offset),
        isStreamed: is_streamed,
        watermark: level_at === null ? null : Number(level_at),
      }))
    },
    async read(source, { topic, partition, offset }, { limit, since, until }) {
      const failed = storeFailed(`reading events of ${source.name}`)
      const id = await topicId(topic).catch(failed)
      const fields = source.fields.map(({ name, type }) =>
        selectExpression(type, `x.${quoteIdentifier(name)}`),
      )
      const { rows } = await pool
        .query<unknown[]>({
          rowMode: 'array',
          text: `select x."offset", ${microsOf('x.event_timestamp')}, ${microsOf('x.ingested_at')}, x.event_id, ${fields.join(', ')}
            from ${eventTable(project, source)} as x
            where x.topic_id = $1 and x.partition = $2 and x."offset" >= $3 and x."offset" < $6
              and ($5::timestamptz is null or x.event_timestamp >= $5)
              and ${counts}
            order by x."offset" limit $4`,
          values: [id, partition, offset, limit, since === null ? null : formatTimestamp(since), until],
        })
        .catch(failed)
      const events = rows.map(
        (columns): StoredEvent => ({
          topic,
          partition,
          offset: Number(columns[0]),
          eventTimestamp: Number(columns[1]),
          storedAt: Number(columns[2]),
          eventId: columns[3] === null ? null : String(columns[3]),
          values: source.fields.map(
            ({ type }, index) => fromSql(type, columns[4 + index], () => {}) as ScalarValue | null,
          ),
        }),
      )
      const last = events.at(-1)
      return { events, next: events.length < limit || !last ? until : last.offset + 1 }
    },
  }
}
