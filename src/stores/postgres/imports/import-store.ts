import type pg from 'pg'
import {
  type ImportCounts,
  type ImportReceipt,
  type ImportStore,
  type ImportTable,
  isImportedInChunks,
  type RowSink,
} from '../../import-store.ts'
import { deletionCheck } from '../deletion/deletion-check.ts'
import { databaseNow } from '../sql/database-clock.ts'
import { inTransaction, storeFailed } from '../sql/pool.ts'
import { recordViolations } from '../system/violation-store.ts'
import { importInChunks } from './chunked-import.ts'
import { rowsOfEarlierImports } from './earlier-imports.ts'
import { eventWriter } from './event-writer.ts'
import { featureWriter } from './feature-writer.ts'
import { recordFileQuarantine } from './file-quarantine.ts'
import { readImportState, takeReceipt } from './import-receipt.ts'
import type { RowWriter } from './row-writer.ts'

/** A COPY that a statement has to wait for is ended not before so many rows of these tables have gathered. */
const recordEvery = 1_000

/** `pool` has no statement timeout, and a connection to spare beside each import's. */
export function postgresImportStore(pool: pg.Pool, project: string): ImportStore {
  return {
    now: () => databaseNow(pool).catch(storeFailed('reading its clock')),

    stateOf: (table, digest, definition) =>
      readImportState(pool, [project, table.kind, nameOf(table), digest], definition).catch(
        storeFailed('reading what was imported'),
      ),

    storedRows: (table, digest, earlier) =>
      table.kind === 'ROWS' || earlier === 0
        ? Promise.resolve(async () => new Set())
        : rowsOfEarlierImports(pool, project, table.source, digest, earlier).catch(
            storeFailed('reading what was imported'),
          ),

    async importFile(table, receipt, work) {
      const failed = storeFailed(`importing into ${nameOf(table)}`)
      /** What the caller's work throws is thrown on as it is. */
      let thrown: { readonly error: unknown } | null = null
      const ownWork = (sink: RowSink) =>
        work({
          deletedRows: (rows) => sink.deletedRows(rows).catch(failed),
          write: (...rows) => sink.write(...rows).catch(failed),
        }).catch((error: unknown) => {
          thrown = { error }
          throw error
        })
      const unlessThrown = (error: unknown): never => {
        if (thrown !== null) throw error
        return failed(error)
      }
      if (table.kind === 'EVENTS' && isImportedInChunks(table)) {
        const deletedRows = await deletedRowsOf(pool, project, table).catch(failed)
        return await importInChunks(pool, project, table.source, receipt, (write) =>
          ownWork({ deletedRows, write }),
        ).catch(unlessThrown)
      }
      return await inTransaction(pool, async (client) => {
        const target = [project, table.kind, nameOf(table), receipt.digest]
        const times = await takeReceipt(client, target, receipt, null).catch(failed)
        if (times === null) return null
        const writer =
          table.kind === 'EVENTS'
            ? await eventWriter(pool, client, project, table.source, receipt, times).catch(failed)
            : featureWriter(client, project, table.view)
        const { sink, flush } = fileSink(client, project, writer)
        // After the receipt: the transaction has its id.
        const deletedRows = await deletedRowsOf(pool, project, table).catch(failed)
        try {
          const counts = await ownWork({ deletedRows, write: sink.write })
          await flush()
          await writer.finish()
          await finishReceipt(client, project, table, receipt, counts)
          return counts
        } catch (error) {
          await writer.abort()
          throw error
        }
      }).catch(unlessThrown)
    },
  }
}

function fileSink(
  client: pg.PoolClient,
  project: string,
  writer: RowWriter,
): { readonly sink: Pick<RowSink, 'write'>; readonly flush: () => Promise<void> } {
  let quarantined: Parameters<RowSink['write']>[1][number][] = []
  let violations: Parameters<RowSink['write']>[2][number][] = []
  const flush = async (): Promise<void> => {
    await writer.pause()
    if (violations.length > 0) await recordViolations(client, project, violations, [])
    if (quarantined.length > 0) await recordFileQuarantine(client, project, quarantined)
    quarantined = []
    violations = []
  }
  return {
    sink: {
      async write(rows, newlyQuarantined, newViolations) {
        if (rows.kept.length > 0) await writer.write(rows)
        for (const row of newlyQuarantined) quarantined.push(row)
        for (const violation of newViolations) violations.push(violation)
        if (quarantined.length + violations.length >= recordEvery) await flush()
      },
    },
    flush,
  }
}

/** On connections of its own, since a COPY may be open on the import's. */
async function deletedRowsOf(
  pool: pg.Pool,
  project: string,
  table: ImportTable,
): Promise<RowSink['deletedRows']> {
  const fields = table.kind === 'EVENTS' ? table.source.fields : table.view.entity.joinKeys
  const check = await deletionCheck(pool, project, fields)
  if (check === null) return async () => new Set()
  return async ({ eventTimestamps, columns }) => {
    const flags = await check(
      eventTimestamps.map((eventTimestamp, index) => ({
        key: fields.map((_, place) => columns[place]?.[index] ?? null),
        eventTimestamp,
      })),
    )
    return new Set(flags.flatMap((isDeleted, index) => (isDeleted ? [index] : [])))
  }
}

async function finishReceipt(
  client: pg.PoolClient,
  project: string,
  table: ImportTable,
  { digest }: ImportReceipt,
  { read, stored, storedBefore }: ImportCounts,
): Promise<void> {
  await client.query(
    `update featuregraph.imports set rows_read = $5, rows_kept = $6
     where project = $1 and kind = $2 and target = $3 and digest = $4`,
    [project, table.kind, nameOf(table), digest, read, stored + storedBefore],
  )
}

function nameOf(table: ImportTable): string {
  return table.kind === 'EVENTS' ? table.source.name : table.view.id
}
