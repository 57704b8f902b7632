import pg from 'pg'
import type { ImportCounts, ImportedRows, ImportReceipt, RowSink } from '../../import-store.ts'
import type { StoredEventSource } from '../../stored-event-source.ts'
import { deletedFlags } from '../deletion/deletion-check.ts'
import { claimEvents } from '../events/claim-events.ts'
import { hourMicros, recordArrivals } from '../events/event-arrivals.ts'
import { eventCopy } from '../events/event-copy.ts'
import { makeEventMonth, monthOf } from '../events/event-months.ts'
import { recordPosition } from '../events/event-positions.ts'
import { topicIdOf } from '../events/event-topics.ts'
import { endingHungWriters } from '../sql/end-hung-writers.ts'
import { inTransaction } from '../sql/pool.ts'
import { recordViolations } from '../system/violation-store.ts'
import { recordFileQuarantine } from './file-quarantine.ts'
import { fileTopic, takeReceipt } from './import-receipt.ts'

/** Other writers of the ids in a chunk wait until its transaction ends: some 20 ms. */
const chunkRows = 1_000
const checkViolation = '23514'

/** Locks the receipt: two processes that import the same file take turns, and each passes over what the other has stored. */
const advanceSql = `with before as (
  select next_row from featuregraph.imports
  where project = $1 and kind = 'EVENTS' and target = $2 and digest = $3 and rows_read is null for update
)
update featuregraph.imports as i set next_row = greatest(before.next_row, $4) from before
where i.project = $1 and i.kind = 'EVENTS' and i.target = $2 and i.digest = $3
returning before.next_row`

/** Of an import that is gone on with. */
async function timesOf(pool: pg.Pool, target: readonly string[]): Promise<number> {
  const { rows } = await pool.query<{ times: number }>(
    `select times from featuregraph.imports where project = $1 and kind = 'EVENTS' and target = $2 and digest = $3`,
    [...target],
  )
  return rows[0]?.times ?? 1
}

const finishSql = `update featuregraph.imports set rows_read = $4, rows_kept = $5, next_row = null
where project = $1 and kind = 'EVENTS' and target = $2 and digest = $3 and rows_read is null`

interface Chunk {
  readonly rows: ImportedRows
  /** Everything of the file below it is stored with the chunk. */
  readonly nextRow: number
  readonly quarantined: Parameters<RowSink['write']>[1]
  readonly violations: Parameters<RowSink['write']>[2]
}

/**
 * A file's events with ids, each chunk of rows with its claims and the progress of the receipt in one short transaction, so
 * that others who store the same ids wait for a chunk at most. A process that ends anywhere leaves whole chunks, and the
 * same file again goes on behind them. See `ImportStore.importFile`.
 */
export async function importInChunks<Counts extends ImportCounts>(
  pool: pg.Pool,
  project: string,
  source: StoredEventSource,
  receipt: ImportReceipt,
  work: (write: RowSink['write']) => Promise<Counts>,
): Promise<Counts | null> {
  const target = [project, source.name, receipt.digest]
  const taken = await takeReceipt(pool, [project, 'EVENTS', source.name, receipt.digest], receipt, 0)
  const topicId = await topicIdOf(
    pool,
    project,
    fileTopic(receipt.digest, taken ?? (await timesOf(pool, target))),
  )
  const months = new Set<number>()

  async function prepareMonths({ kept, eventTimestamps }: ImportedRows): Promise<void> {
    let lastHour = Number.NaN
    for (const index of kept) {
      const instant = eventTimestamps[index] ?? 0
      const hour = Math.floor(instant / hourMicros)
      if (hour === lastHour) continue
      lastHour = hour
      const month = monthOf(instant)
      if (months.has(month)) continue
      await makeEventMonth(pool, pool, project, source, instant)
      months.add(month)
    }
  }

  async function store(chunk: Chunk): Promise<void> {
    const attempt = async (): Promise<void> => {
      await prepareMonths(chunk.rows)
      await inTransaction(pool, (client) => endingHungWriters(pool, client, storeChunk(client, chunk)))
    }
    await attempt().catch((error: unknown) => {
      // A month that is known here was dropped meanwhile.
      if (!(error instanceof pg.DatabaseError) || error.code !== checkViolation) throw error
      months.clear()
      return attempt()
    })
  }

  async function storeChunk(client: pg.ClientBase, chunk: Chunk): Promise<void> {
    const { rows, nextRow, quarantined, violations } = chunk
    const advanced = await client.query<{ next_row: string }>(advanceSql, [...target, nextRow])
    const done = Number(advanced.rows[0]?.next_row ?? Number.POSITIVE_INFINITY)
    if (done >= nextRow) return
    const events = await allowedEvents(client, rows, done)
    // Every writer locks positions, then claims, then hours.
    await recordPosition(client, { project, source, topicId, storedAt: receipt.importedAt }, nextRow)
    await storeEvents(client, rows, events)
    if (violations.length > 0) await recordViolations(client, project, violations, [])
    if (quarantined.length > 0) await recordFileQuarantine(client, project, quarantined)
  }

  /** Indexes of rows that are to be stored. The transaction has its id: a deletion is seen from here on, or waits for it. */
  async function allowedEvents(
    client: pg.ClientBase,
    { kept, rowNumbers, eventTimestamps, columns }: ImportedRows,
    done: number,
  ): Promise<readonly number[]> {
    const left = kept.filter((index) => (rowNumbers[index] ?? 0) >= done)
    const dated = left.map((index) => ({
      key: source.fields.map((_, place) => columns[place]?.[index] ?? null),
      eventTimestamp: eventTimestamps[index] ?? 0,
    }))
    const deleted = await deletedFlags(client, project, source.fields, dated)
    return left.filter((_, place) => deleted[place] !== true)
  }

  async function storeEvents(
    client: pg.ClientBase,
    { rowNumbers, eventTimestamps, createdTimestamps, eventIds, columns }: ImportedRows,
    indexes: readonly number[],
  ): Promise<void> {
    if (indexes.length === 0) return
    const claimants = indexes.map((index) => ({
      eventId: eventIds[index] ?? null,
      eventTimestamp: eventTimestamps[index] ?? 0,
    }))
    const repeated = await claimEvents(client, project, source.name, claimants)
    const copy = eventCopy(client, project, source, topicId)
    const hours = new Set<number>()
    try {
      claimants.forEach(({ eventId, eventTimestamp }, place) => {
        const index = indexes[place] ?? 0
        // Null: known from when it happened, and no event lies in the future.
        const knownFrom = Math.min(createdTimestamps[index] ?? eventTimestamp, receipt.importedAt)
        const counts = !repeated.has(place)
        // It counts from the moment that it was stored, if that is earlier; a repeat changes no snapshot.
        if (counts) hours.add(Math.floor(Math.min(eventTimestamp, knownFrom) / hourMicros))
        const rowNumber = rowNumbers[index] ?? 0
        copy.add(0, rowNumber, eventTimestamp, knownFrom, eventId, counts, (field) => columns[field]?.[index])
      })
      await copy.end()
    } catch (error) {
      await copy.abort()
      throw error
    }
    await recordArrivals(client, project, source.name, hours)
  }

  const counts = await work(async (rows, quarantined, violations) => {
    const behind = (rows.rowNumbers.at(-1) ?? -1) + 1
    let start = 0
    // What is reported of a batch goes with its last chunk.
    for (; rows.kept.length - start > chunkRows; start += chunkRows) {
      const kept = rows.kept.slice(start, start + chunkRows)
      const nextRow = (rows.rowNumbers[kept.at(-1) ?? 0] ?? 0) + 1
      await store({ rows: { ...rows, kept }, nextRow, quarantined: [], violations: [] })
    }
    await store({ rows: { ...rows, kept: rows.kept.slice(start) }, nextRow: behind, quarantined, violations })
  })
  const { rowCount } = await pool.query(finishSql, [
    ...target,
    counts.read,
    counts.stored + counts.storedBefore,
  ])
  return rowCount === 1 ? counts : null
}
