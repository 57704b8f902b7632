import { formatTimestamp, type Micros } from '../definitions/timestamp.ts'
import { systemClock } from '../server.ts'
import { textTable } from './text-table.ts'
import { withStores } from './with-stores.ts'

/**
 * `featuregraph status`: per view the newest row offline, until when rows were carried, and the oldest due row that no
 * materialize has carried yet (a push may have, at once).
 */
export async function status(): Promise<void> {
  await withStores(async ({ registry, stores }) => {
    const now = systemClock()
    const rows: string[][] = []
    for (const view of registry.views) {
      const watermark = view.online ? await stores.runs.readWatermark(view.name) : null
      const lag = await stores.offline.carryLag(view, now, watermark)
      rows.push([
        view.name,
        shown(lag.newestEventTimestamp),
        view.online ? shown(watermark?.carriedUntil ?? null) : 'not online',
        view.online ? shown(lag.oldestNotCarried) : '-',
      ])
    }
    process.stdout.write(
      textTable([['VIEW', 'NEWEST OFFLINE', 'CARRIED UNTIL', 'OLDEST NOT CARRIED'], ...rows]),
    )
  })
}

function shown(micros: Micros | null): string {
  return micros === null ? '-' : formatTimestamp(micros)
}
