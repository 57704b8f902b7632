import { randomUUID } from 'node:crypto'
import type pg from 'pg'
import { formatTimestamp } from '../../../definitions/timestamp.ts'
import { StoreFailed } from '../../../errors.ts'
import type { TrainingSet, TrainingSetStore } from '../../training-set-store.ts'
import { inTransaction, storeFailed } from '../sql/pool.ts'
import { readSet, setColumns } from './training-set-row.ts'

const insertSql = `insert into featuregraph.training_sets
  (project, id, owner, spine_id, request, spine, idempotency_key, registry_version, definitions, state, created_at)
values ($1, $2, $3, $4, $5, $6, $7, $8, $9, 'QUEUED', featuregraph.moment())
on conflict (project, owner, idempotency_key) where idempotency_key is not null do nothing`

const listSql = `select ${setColumns} from featuregraph.training_sets as s
where s.project = $1 and ($2::text is null or s.owner = $2) and ($3::text is null or s.state = $3)
  and ($4::timestamptz is null or (s.created_at, s.id) < ($4, $5::uuid))
order by s.created_at desc, s.id desc limit $6`

export function postgresTrainingSetStore(pool: pg.Pool, project: string): TrainingSetStore {
  async function read(condition: string, values: readonly unknown[]): Promise<TrainingSet | null> {
    const { rows } = await pool
      .query(
        `select ${setColumns} from featuregraph.training_sets as s where s.project = $1 and ${condition}`,
        [project, ...values],
      )
      .catch(storeFailed('reading a training set'))
    return rows[0] === undefined ? null : readSet(rows[0])
  }

  return {
    async create({ owner, spine, request, registry, idempotencyKey }) {
      const id = randomUUID()
      const { rowCount } = await pool
        .query(insertSql, [
          ...[project, id, owner, spine.id, JSON.stringify(request), JSON.stringify(spine)],
          ...[idempotencyKey, registry.version, registry.digest],
        ])
        .catch(storeFailed('creating a training set'))
      const created =
        rowCount === 1
          ? await read('s.id = $2', [id])
          : await read('s.owner = $2 and s.idempotency_key = $3', [owner, idempotencyKey])
      if (created === null) throw new StoreFailed('a training set was removed while it was created')
      return created
    },

    find: (id) => read('s.id = $2', [id]),

    async list({ owner, state, first, after }) {
      const { rows } = await pool
        .query(listSql, [
          ...[project, owner, state, after && formatTimestamp(after.createdAt), after?.id ?? null, first],
        ])
        .catch(storeFailed('reading training sets'))
      return rows.map(readSet)
    },

    async cancel(id) {
      await inTransaction(pool, async (client) => {
        const { rowCount } = await client.query(
          `update featuregraph.training_sets set state = 'CANCELLED', finished_at = featuregraph.moment(), holder = null
           where project = $1 and id = $2 and state in ('QUEUED', 'RUNNING')`,
          [project, id],
        )
        if (rowCount === 1)
          await client.query(
            'delete from featuregraph.training_set_parts where project = $1 and set_id = $2',
            [project, id],
          )
      }).catch(storeFailed('cancelling a training set'))
    },

    async remove(id) {
      await pool
        .query('delete from featuregraph.training_sets where project = $1 and id = $2', [project, id])
        .catch(storeFailed('removing a training set'))
    },

    async expire(before, removedBefore) {
      await inTransaction(pool, async (client) => {
        await client.query(
          `with expired as (
             update featuregraph.training_sets set state = 'EXPIRED'
             where project = $1 and state = 'SUCCEEDED' and finished_at < $2 returning id)
           delete from featuregraph.training_set_parts where project = $1 and set_id in (select id from expired)`,
          [project, formatTimestamp(before)],
        )
        await client.query(
          `delete from featuregraph.training_sets where project = $1 and (
             state in ('FAILED', 'CANCELLED') and finished_at < $2 or state = 'EXPIRED' and finished_at < $3)`,
          [project, formatTimestamp(before), formatTimestamp(removedBefore)],
        )
      }).catch(storeFailed('expiring training sets'))
    },

    async wanted(ids) {
      const { rows } = await pool
        .query<{ id: string }>(
          `select id from featuregraph.training_sets
           where project = $1 and id = any ($2::uuid[]) and state in ('QUEUED', 'RUNNING', 'SUCCEEDED')`,
          [project, ids],
        )
        .catch(storeFailed('reading training sets'))
      return new Set(rows.map(({ id }) => id))
    },
  }
}
