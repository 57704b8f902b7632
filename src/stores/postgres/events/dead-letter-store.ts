import type pg from 'pg'
import type { DeadLetter, DeadLetterStore } from '../../dead-letter-store.ts'
import { microsOf } from '../sql/column-type.ts'
import { inTransaction, storeFailed } from '../sql/pool.ts'
import { recordViolations } from '../system/violation-store.ts'
import { makeEventMonth } from './event-months.ts'
import { topicIdOf } from './event-topics.ts'
import { appendEvents } from './store-events.ts'

type Row = Omit<DeadLetter, 'id' | 'offset' | 'recordedAt'> & {
  readonly id: string
  readonly offset: string
  readonly recordedAt: string
}

const selectLetters = `select q.id, q.view as source, t.topic, q.partition, q."offset", q.message_key as key, q.message as value,
  q.reason, ${microsOf('q.recorded_at')} as "recordedAt"
from featuregraph.quarantine as q join featuregraph.event_topics as t on t.id = q.topic_id`

function letterOf(row: Row): DeadLetter {
  return { ...row, id: Number(row.id), offset: Number(row.offset), recordedAt: Number(row.recordedAt) }
}

/** Messages among the quarantined rows of one project. */
export function postgresDeadLetterStore(pool: pg.Pool, project: string): DeadLetterStore {
  return {
    async page({ source, before, first }) {
      const { rows } = await pool
        .query<Row>(
          `${selectLetters} where q.project = $1 and q.topic_id is not null
             and ($2::text is null or q.view = $2) and ($3::bigint is null or q.id < $3)
           order by q.id desc limit $4`,
          [project, source, before, first],
        )
        .catch(storeFailed('reading dead letters'))
      return rows.map(letterOf)
    },
    async unpublished(sources, first) {
      const { rows } = await pool
        .query<Row>(
          `${selectLetters} where q.project = $1 and not q.published and q.view = any($2) order by q.id limit $3`,
          [project, sources, first],
        )
        .catch(storeFailed('reading dead letters'))
      return rows.map(letterOf)
    },
    async markPublished(ids) {
      await pool
        .query(
          'update featuregraph.quarantine set published = true where project = $1 and id = any($2::bigint[])',
          [project, ids],
        )
        .catch(storeFailed('marking dead letters'))
    },
    async retry(source, log, letters, storedAt) {
      const failed = storeFailed(`retrying dead letters of ${source.name}`)
      for (const { event } of letters)
        await makeEventMonth(pool, pool, project, source, event.eventTimestamp).catch(failed)
      const topicId = await topicIdOf(pool, project, log).catch(failed)
      return await inTransaction(pool, async (client) => {
        const { rows } = await client.query<{ id: string }>(
          'delete from featuregraph.quarantine where project = $1 and topic_id is not null and id = any($2::bigint[]) returning id',
          [project, letters.map(({ id }) => id)],
        )
        const there = new Set(rows.map(({ id }) => Number(id)))
        const events = letters.flatMap(({ id, event }) => (there.has(id) ? [event] : []))
        const { outcomes } = await appendEvents(client, { project, source, topicId, storedAt }, events)
        const broken = events.flatMap(({ violations }, index) =>
          outcomes[index] === 'STORED' ? violations : [],
        )
        await recordViolations(client, project, broken, [])
        const next = outcomes.values()
        return letters.map(({ id }) => (there.has(id) ? (next.next().value ?? null) : null))
      }).catch(failed)
    },
  }
}
