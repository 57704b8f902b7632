import type pg from 'pg'
import { formatTimestamp, type Micros } from '../../definitions/timestamp.ts'
import type { ScalarValue } from '../../definitions/value.ts'
import type { ScalarType } from '../../definitions/value-type.ts'
import type { EventStore, EventToKeep, KeepOutcome, KeptEvent, KeptEventSource } from '../event-store.ts'
import { arrayParameter, fromSql, microsOf, selectExpression } from './column-type.ts'
import { countsSql } from './counting-events.ts'
import { deletionCheck } from './deletion-check.ts'
import { hourMicros, recordArrivals } from './event-arrivals.ts'
import { makeEventMonth, monthOf } from './event-months.ts'
import { partitionEnds, recordPositions } from './event-positions.ts'
import { eventTable } from './event-table.ts'
import { topicIdOf } from './event-topics.ts'
import { quoteIdentifier } from './identifier.ts'
import { inTransaction, storeFailed } from './pool.ts'

/** Kept events of streams and of those who append by themselves. */
export function postgresEventStore(pool: pg.Pool, project: string): EventStore {
  const topicNumbers = new Map<string, number>()
  const months = new Set<string>()

  async function topicNumber(topic: string): Promise<number> {
    const known = topicNumbers.get(topic)
    if (known !== undefined) return known
    const made = await topicIdOf(pool, project, topic)
    topicNumbers.set(topic, made)
    return made
  }

  /** Before the transaction: one that waited for another connection of the pool could wait for itself. */
  async function prepare(
    source: KeptEventSource,
    topic: string,
    events: readonly { readonly eventTimestamp: Micros }[],
  ): Promise<number> {
    for (const { eventTimestamp } of events) {
      const month = `${source.name} ${monthOf(eventTimestamp)}`
      if (months.has(month)) continue
      await makeEventMonth(pool, pool, project, source, eventTimestamp)
      months.add(month)
    }
    return await topicNumber(topic)
  }

  async function keep(
    client: pg.ClientBase,
    source: KeptEventSource,
    topicId: number,
    events: readonly EventToKeep[],
    keptAt: Micros,
  ): Promise<readonly KeepOutcome[]> {
    // A deletion either is seen from here on, or waits for this transaction.
    await client.query('select pg_current_xact_id()')
    const deleted = await deletedEvents(client, project, source, events)
    const kept = events.filter((_, index) => deleted[index] !== true)
    await insert(client, project, source, topicId, kept, keptAt)
    await recordArrivals(
      client,
      project,
      source.name,
      new Set(kept.map(({ eventTimestamp }) => Math.floor(Math.min(eventTimestamp, keptAt) / hourMicros))),
    )
    // Refused ones too: nobody shall wait for an event that is not there.
    await recordPositions(client, project, source.name, topicId, partitionEnds(events))
    const moments = await readMoments(client, project, source, topicId, kept)
    let next = 0
    return events.map((_, index): KeepOutcome => {
      if (deleted[index] === true) return { status: 'DELETED' }
      const moment = moments[next]
      next += 1
      return moment === null || moment === undefined
        ? { status: 'REPEATED' }
        : { status: 'KEPT', keptAt: moment }
    })
  }

  return {
    topicNumber: (topic) => topicNumber(topic).catch(storeFailed('naming a topic')),
    async keep(source, topic, events, keptAt) {
      const failed = storeFailed(`keeping events of ${source.name}`)
      const topicId = await prepare(source, topic, events).catch(failed)
      return await inTransaction(pool, (client) => keep(client, source, topicId, events, keptAt)).catch(
        failed,
      )
    },
    async append(source, topic, events, keptAt) {
      const failed = storeFailed(`keeping events of ${source.name}`)
      const topicId = await prepare(source, topic, events).catch(failed)
      return await inTransaction(pool, async (client) => {
        await client.query('select pg_advisory_xact_lock(hashtextextended($1, 0))', [
          `featuregraph log ${project} ${source.name} ${topic}`,
        ])
        const { rows } = await client.query<{ next: string }>(
          `select coalesce(max("offset") + 1, 0) as next from ${eventTable(project, source)} where topic_id = $1 and partition = 0`,
          [topicId],
        )
        const first = Number(rows[0]?.next ?? 0)
        const placed = events.map((event, index) => ({ ...event, partition: 0, offset: first + index }))
        return await keep(client, source, topicId, placed, keptAt)
      }).catch(failed)
    },
    deletedEvents: (source, events) =>
      deletedEvents(pool, project, source, events).catch(
        storeFailed(`asking for deletions of ${source.name}`),
      ),
    async deletionMark() {
      const { rows } = await pool
        .query<{ mark: string }>(
          `select count(*) || ' ' || coalesce(max(deleted_at)::text, '') as mark from featuregraph.deletions where project = $1`,
          [project],
        )
        .catch(storeFailed('reading deletions'))
      return rows[0]?.mark ?? ''
    },
    async positions(source) {
      const { rows } = await pool
        .query<{ topic: string; topic_id: number; partition: number; next_offset: string }>(
          `select t.topic, p.topic_id, p.partition, p.next_offset from featuregraph.event_positions as p
           join featuregraph.event_topics as t on t.id = p.topic_id
           where p.project = $1 and p.source = $2 order by t.topic, p.partition`,
          [project, source.name],
        )
        .catch(storeFailed(`reading how far ${source.name} is kept`))
      return rows.map(({ topic, topic_id, partition, next_offset }) => ({
        topic,
        topicNumber: topic_id,
        partition,
        nextOffset: Number(next_offset),
      }))
    },
    async read(source, { topic, partition, offset }, { limit, since }) {
      const failed = storeFailed(`reading events of ${source.name}`)
      const topicId = await topicNumber(topic).catch(failed)
      const fields = source.fields.map(({ name, type }) =>
        selectExpression(type, `x.${quoteIdentifier(name)}`),
      )
      const { rows } = await pool
        .query<unknown[]>({
          rowMode: 'array',
          text: `select x."offset", ${microsOf('x.event_timestamp')}, ${microsOf('x.ingested_at')}, x.event_id, ${fields.join(', ')}
            from ${eventTable(project, source)} as x
            where x.topic_id = $1 and x.partition = $2 and x."offset" >= $3
              and ($5::timestamptz is null or x.event_timestamp >= $5)
              and ${countsSql(project, source)}
            order by x."offset" limit $4`,
          values: [topicId, partition, offset, limit, since === null ? null : formatTimestamp(since)],
        })
        .catch(failed)
      return rows.map(
        (columns): KeptEvent => ({
          topic,
          partition,
          offset: Number(columns[0]),
          eventTimestamp: Number(columns[1]),
          keptAt: Number(columns[2]),
          eventId: columns[3] === null ? null : String(columns[3]),
          values: source.fields.map(
            ({ type }, index) => fromSql(type, columns[4 + index], () => {}) as ScalarValue | null,
          ),
        }),
      )
    },
  }
}

async function deletedEvents(
  client: pg.Pool | pg.ClientBase,
  project: string,
  source: KeptEventSource,
  events: Parameters<EventStore['deletedEvents']>[1],
): Promise<readonly boolean[]> {
  const check = await deletionCheck(client, project, source.fields)
  return check
    ? await check(events.map(({ values, eventTimestamp }) => ({ key: values, eventTimestamp })))
    : events.map(() => false)
}

/** What is there already stays as it is. */
async function insert(
  client: pg.ClientBase,
  project: string,
  source: KeptEventSource,
  topicId: number,
  events: readonly EventToKeep[],
  keptAt: Micros,
): Promise<void> {
  if (events.length === 0) return
  const fields = source.fields.map(({ name, type }, index) => ({
    name: quoteIdentifier(name),
    parameter: arrayParameter(type),
    values: events.map(({ values }) => encoded(type, values[index] ?? null)),
  }))
  const arrays = fields.map(({ parameter }, index) => `$${index + 7}::${parameter.arrayType}`)
  const items = fields.map(({ parameter }, index) => parameter.expression(`e.f${index}`))
  await client.query(
    `insert into ${eventTable(project, source)}
       (topic_id, partition, "offset", event_timestamp, ingested_at, event_id${fields.map(({ name }) => `, ${name}`).join('')})
     select $1, e.partition, e.position, e.at, $2::timestamptz, e.id${items.map((item) => `, ${item}`).join('')}
     from unnest($3::int[], $4::bigint[], $5::timestamptz[], $6::text[]${arrays.map((array) => `, ${array}`).join('')})
       as e(partition, position, at, id${fields.map((_, index) => `, f${index}`).join('')})
     on conflict do nothing`,
    [
      topicId,
      formatTimestamp(keptAt),
      events.map(({ partition }) => partition),
      events.map(({ offset }) => offset),
      events.map(({ eventTimestamp }) => formatTimestamp(eventTimestamp)),
      events.map(({ eventId }) => eventId),
      ...fields.map(({ values }) => values),
    ],
  )
}

function encoded(type: ScalarType, value: ScalarValue | null): string | number | boolean | null {
  return value === null ? null : arrayParameter(type).encode(value)
}

/** When each event was kept, in order; null for one whose id another had before it. */
async function readMoments(
  client: pg.ClientBase,
  project: string,
  source: KeptEventSource,
  topicId: number,
  events: readonly EventToKeep[],
): Promise<readonly (Micros | null)[]> {
  if (events.length === 0) return []
  const table = eventTable(project, source)
  const { rows } = await client.query<{ moment: string; counts: boolean }>(
    `select ${microsOf('x.ingested_at')} as moment, ${countsSql(project, source)} as counts
     from unnest($2::int[], $3::bigint[], $4::timestamptz[]) with ordinality as e(partition, position, at, place)
     join ${table} as x on x.topic_id = $1 and x.partition = e.partition and x."offset" = e.position and x.event_timestamp = e.at
     order by e.place`,
    [
      topicId,
      events.map(({ partition }) => partition),
      events.map(({ offset }) => offset),
      events.map(({ eventTimestamp }) => formatTimestamp(eventTimestamp)),
    ],
  )
  return rows.map(({ moment, counts }) => (counts ? Number(moment) : null))
}
