import type pg from 'pg'
import type { DeadLetter, DeadLetterStore } from '../../dead-letter-store.ts'
import { microsOf } from '../sql/column-type.ts'
import { storeFailed } from '../sql/pool.ts'

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
  }
}
