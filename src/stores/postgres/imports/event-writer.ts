import type pg from 'pg'
import type { ImportReceipt } from '../../import-store.ts'
import type { StoredEventSource } from '../../stored-event-source.ts'
import { hourMicros, recordArrivals } from '../events/event-arrivals.ts'
import { eventCopy } from '../events/event-copy.ts'
import { makeEventMonth, monthOf } from '../events/event-months.ts'
import { recordPosition } from '../events/event-positions.ts'
import { topicIdOf } from '../events/event-topics.ts'
import { fileTopic } from './import-receipt.ts'
import { copyPieceBytes, type RowWriter } from './row-writer.ts'

/**
 * A file's events without ids, which all count, by COPY into the table of stored events: the file's topic, partition 0,
 * offset = row number. Months that are missing are made on connections of their own, and stay if the import does not.
 */
export async function eventWriter(
  pool: pg.Pool,
  client: pg.ClientBase,
  project: string,
  source: StoredEventSource,
  { digest, importedAt }: ImportReceipt,
  times: number,
): Promise<RowWriter> {
  const topicId = await topicIdOf(client, project, fileTopic(digest, times))
  const copy = eventCopy(client, project, source, topicId)
  const hours = new Set<number>()
  let lastRow = 0
  const months = new Set<number>()

  return {
    async write({ kept, rowNumbers, eventTimestamps, createdTimestamps, columns: values }) {
      let lastHour = Number.NaN
      let lastInstantHour = Number.NaN
      for (const index of kept) {
        const instant = eventTimestamps[index] ?? 0
        // Null: known from when it happened, and no event lies in the future.
        const knownFrom = Math.min(createdTimestamps[index] ?? instant, importedAt)
        // It counts from the moment that it was stored, if that is earlier.
        const hour = Math.floor(Math.min(instant, knownFrom) / hourMicros)
        if (hour !== lastHour) hours.add(hour)
        lastHour = hour
        const instantHour = Math.floor(instant / hourMicros)
        if (instantHour !== lastInstantHour) {
          const month = monthOf(instant)
          if (!months.has(month)) {
            months.add(month)
            // A COPY does not see partitions that were attached after it began.
            await copy.end()
            await makeEventMonth(pool, client, project, source, instant)
          }
        }
        lastInstantHour = instantHour
        lastRow = rowNumbers[index] ?? lastRow
        copy.add(0, lastRow, instant, knownFrom, null, true, (field) => values[field]?.[index])
      }
      if (copy.size() >= copyPieceBytes) await copy.flush()
    },
    pause: copy.end,
    abort: copy.abort,
    async finish() {
      await recordPosition(client, { project, source, topicId, storedAt: importedAt }, lastRow + 1)
      await recordArrivals(client, project, source.name, hours)
    },
  }
}
