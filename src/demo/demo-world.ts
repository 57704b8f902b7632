import { randomUUID } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type pg from 'pg'
import type { Logger } from 'pino'
import type { Clock, Micros } from '../definitions/timestamp.ts'
import { computeSnapshots, snapshotTimes } from '../ingest/batch.ts'
import { importFile } from '../ingest/import-file.ts'
import { importTargets } from '../ingest/import-target.ts'
import { materialize } from '../ingest/materialize.ts'
import { snapshotDefinition, snapshotReach } from '../ingest/snapshot-plan.ts'
import type { RowLayouts } from '../online/row-layouts.ts'
import type { Stores } from '../open-stores.ts'
import type { BatchView, Registry } from '../registry/registry.ts'
import { floorToHop } from '../windows/hop.ts'
import { demoSeed, readMark, setMark, withDemoLock } from './demo-mark.ts'
import { type DemoSpan, writeHistory } from './write-history.ts'

const fiveMinutes: Micros = 300_000_000
/** A nightly job's run time: a snapshot becomes known this long after the time it is of. */
const snapshotDelay: Micros = 1_800_000_000

export interface DemoWorld {
  /** Continues the world to the clock's now. Two gateways on one database take turns; the second finds nothing to do. */
  readonly bringUpToNow: (progress?: DemoProgress) => Promise<void>
}

/** Told, while the history is written, which of how many steps are done. */
export type DemoProgress = (done: number, total: number) => void

type DemoStores = Pick<
  Stores,
  'offline' | 'online' | 'runs' | 'snapshots' | 'violations' | 'files' | 'imports' | 'system'
>

interface DemoOptions {
  readonly project: string
  readonly registry: Registry
  readonly stores: DemoStores
  readonly layouts: Pick<RowLayouts, 'keyPrefix' | 'layout'>
  readonly clock: Clock
  readonly log: Logger
}

/** Null when the definitions lack the demo's views: then there is nothing to show. */
export function demoWorld(options: DemoOptions): DemoWorld | null {
  const { registry, stores, project } = options
  const daily = registry.views.find((view) => view.name === 'customer_transaction_features')
  if (daily?.kind !== 'BATCH' || daily.events.name !== 'transactions') {
    options.log.warn('the definitions have no demo views; no demo data is written')
    return null
  }
  return {
    bringUpToNow: (progress = () => {}) =>
      withDemoLock(stores.system, project, async (client) => {
        await makeTransactions(options, client, progress)
        const { beginning } = await readMark(client, project)
        await makeSnapshots(options, daily, beginning)
        progress(steps, steps)
      }),
  }
}

const steps = 100

/**
 * Every instant up to now gets its transactions once, whatever is interrupted: how far a span goes is marked before it is
 * made, and one that was begun is made again, as it was.
 */
async function makeTransactions(
  options: DemoOptions,
  client: pg.ClientBase,
  progress: DemoProgress,
): Promise<void> {
  const { project, clock } = options
  for (;;) {
    const { beginning, seededUntil, seedingUntil } = await readMark(client, project)
    const from = seededUntil ?? beginning
    const interrupted = seedingUntil !== null && seedingUntil > from
    const to = interrupted ? seedingUntil : floorToHop(clock(), fiveMinutes)
    if (to <= from) return
    await setMark(client, project, 'seeding_until', to)
    await importHistory(options, { from, to }, seededUntil === null ? progress : () => {})
    await setMark(client, project, 'seeded_until', to)
  }
}

/** A file of the span's events, imported as one would by hand. */
async function importHistory(
  { registry, stores, clock }: DemoOptions,
  span: DemoSpan,
  progress: DemoProgress,
): Promise<void> {
  const source = { name: 'transactions', targets: importTargets(registry, 'transactions') }
  const folder = await mkdtemp(join(tmpdir(), 'featuregraph-demo-'))
  try {
    const file = join(folder, 'transactions.ndjson')
    await writeHistory(file, demoSeed, span, (part) => progress(part * 30, steps))
    await importFile({ ...stores, clock }, source, file, {
      dryRun: false,
      onError: 'stop',
      assumeUtc: false,
      onWait: () => {},
      onProgress: (_target, _rows, done) => progress(30 + done * 30, steps),
    })
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

/** What is missing of the nights whose job would be done by now, and the way online. */
async function makeSnapshots(
  { stores, layouts, clock }: DemoOptions,
  daily: BatchView,
  beginning: Micros,
): Promise<void> {
  const targets = { ...stores, ...layouts, clock }
  const recorded = await stores.snapshots.recorded(daily, {
    definition: snapshotDefinition(daily),
    reachMicros: snapshotReach(daily),
    since: beginning,
  })
  const known = new Set(recorded.map(({ asOf }) => asOf))
  const times = snapshotTimes(daily, {
    from: beginning + 1,
    to: clock() - snapshotDelay,
    everyMicros: daily.everyMicros,
  }).filter((time) => !known.has(time))
  if (times.length > 0) {
    const options = { createdAfterMicros: snapshotDelay, onWait: () => {}, onProgress: () => {} }
    await computeSnapshots(targets, daily, { kind: 'TIMES', times }, options)
  }
  await materialize(targets, daily, {
    range: null,
    newMarker: randomUUID,
    sleep,
    onWait: () => {},
    onProgress: () => {},
  })
}
