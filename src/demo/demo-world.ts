import { randomUUID } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type pg from 'pg'
import type { Logger } from 'pino'
import type { Clock, Micros } from '../definitions/timestamp.ts'
import { type ImportStores, importFile } from '../ingest/files/import-file.ts'
import { importTargets } from '../ingest/files/import-target.ts'
import { materialize } from '../ingest/materialize/materialize-view.ts'
import { type BatchTargets, computeSnapshots } from '../ingest/snapshots/compute-snapshots.ts'
import { snapshotTimes } from '../ingest/snapshots/plan-run.ts'
import type { StreamObserver } from '../ingest/stream-observer.ts'
import { longestReach } from '../ingest/tiles/followed-sources.ts'
import type { RowLayouts } from '../online/row-layouts.ts'
import type { BatchView, Registry } from '../registry/registry.ts'
import type { EventStore } from '../stores/event-store.ts'
import type { EventStream } from '../stores/event-stream.ts'
import type { OfflineStore } from '../stores/offline-store.ts'
import type { OnlineStore } from '../stores/online-store.ts'
import { floorToHop } from '../windows/hop.ts'
import { reachOf } from '../windows/reach-of.ts'
import { demoSeed, readMark, setMark, withDemoLock } from './demo-mark.ts'
import { type EmitTransactions, emitToLog, emitToTopic } from './emit-transactions.ts'
import { customerCount, secondMicros, type Transaction, transactionsOfSecond } from './transactions.ts'
import { type DemoSpan, writeHistory } from './write-history.ts'

const longestSent: Micros = 300_000_000
/** A nightly job's run time: a snapshot becomes known this long after the time it is of. */
const snapshotDelay: Micros = 1_800_000_000

/** Two gateways on one database take turns; the second finds nothing to do. */
export interface DemoWorld {
  /** Writes what is missing of the history, up to the clock's now. */
  readonly bringUpToNow: (progress?: DemoProgress) => Promise<void>
  /**
   * Until the signal aborts, what is under way then is done: each second sends its transactions, and every five minutes
   * sees to the snapshots. What fails is tried again.
   */
  readonly goOn: (signal: AbortSignal) => Promise<void>
}

/** Called, while the history is written, with which of how many steps are done. */
export type DemoProgress = (done: number, total: number) => void

interface DemoStores extends Omit<ImportStores & BatchTargets, 'clock'> {
  readonly offline: OfflineStore
  readonly online: OnlineStore
  readonly events: EventStore
  readonly system: pg.Pool
}

interface DemoOptions {
  readonly project: string
  readonly registry: Registry
  readonly stores: DemoStores
  readonly layouts: Pick<RowLayouts, 'rowPrefix' | 'renewedPrefix' | 'layout'>
  /** Where transactions are sent; null: into the gateway's own log. */
  readonly stream: Pick<EventStream, 'publish'> | null
  readonly observe: Pick<StreamObserver, 'processed'>
  readonly clock: Clock
  readonly log: Logger
}

/** Whether the definitions are the demo's, so that its data mean something in them. */
export function hasDemoView(registry: Registry): boolean {
  return demoView(registry) !== null
}

function demoView(registry: Registry): BatchView | null {
  const daily = registry.views.find((view) => view.name === 'customer_transaction_features')
  return daily?.kind === 'BATCH' && daily.events.name === 'transactions' ? daily : null
}

/** Null when the definitions lack the demo's views: then there is nothing to show. */
export function demoWorld(options: DemoOptions): DemoWorld | null {
  const { registry, stores, project, clock, observe } = options
  const daily = demoView(registry)
  if (daily === null) {
    options.log.warn('the definitions have no demo views; no demo data is written')
    return null
  }
  const { topic } = daily.events
  const emit =
    options.stream === null || topic === null
      ? emitToLog(
          { ...stores, clock, observe, reach: (source) => longestReach(source, registry.views) },
          daily.events,
        )
      : emitToTopic(options.stream, topic)
  const transactions = (send: EmitTransactions | null, progress: PartProgress): Promise<void> =>
    withDemoLock(stores.system, project, 'transactions', (client) =>
      makeTransactions(options, client, send, progress),
    )
  const snapshots = (progress: PartProgress): Promise<void> =>
    withDemoLock(stores.system, project, 'snapshots', (client) =>
      makeSnapshots(options, client, daily, progress),
    )
  return {
    async bringUpToNow(progress = () => {}) {
      // A stream that is away does not keep the gateway from starting.
      let isFirst = false
      await transactions(null, (done) => {
        isFirst = true
        progress(Math.round(done), steps)
      })
      await snapshots((done) => {
        if (isFirst) progress(Math.round(done), steps)
      })
      if (isFirst) progress(steps, steps)
    },
    async goOn(signal) {
      const again = { signal, log: options.log }
      await Promise.all([
        repeatedly({ ...again, everyMs: 1_000 }, () => transactions(emit, () => {})),
        repeatedly({ ...again, everyMs: 300_000 }, () => snapshots(() => {})),
      ])
    },
  }
}

/** A failure is reported once, until it goes well again. */
async function repeatedly(
  { everyMs, signal, log }: { readonly everyMs: number; readonly signal: AbortSignal; readonly log: Logger },
  work: () => Promise<void>,
): Promise<void> {
  let failed = false
  for (;;) {
    await sleep(everyMs, undefined, { signal }).catch(() => {})
    if (signal.aborted) return
    try {
      await work()
      if (failed) log.info('the demo goes on')
      failed = false
    } catch (error) {
      if (!failed) log.warn({ err: error }, 'the demo could not be continued; trying again')
      failed = true
    }
  }
}

const steps = 100
type PartProgress = (done: number) => void

/**
 * Every second up to now gets its transactions once, whatever is interrupted, and wherever: how far a span goes is marked
 * before it is made, and one that was begun is made again, as it was. Its length alone says how: a short one is sent, as
 * the seconds go by or after a pause; a long one is history, and imported. Without `emit` it ends
 * before what is to be sent.
 */
async function makeTransactions(
  options: DemoOptions,
  client: pg.ClientBase,
  emit: EmitTransactions | null,
  progress: PartProgress,
): Promise<void> {
  const { project, clock } = options
  for (;;) {
    const { beginning, seededUntil, seedingUntil } = await readMark(client, project)
    const from = seededUntil ?? beginning
    const interrupted = seedingUntil !== null && seedingUntil > from
    const to = interrupted ? seedingUntil : floorToHop(clock(), secondMicros)
    if (to <= from) return
    const isHistory = to - from > longestSent
    if (!isHistory && emit === null) return
    await setMark(client, project, 'seeding_until', to)
    if (isHistory) await importHistory(options, { from, to }, seededUntil === null ? progress : () => {})
    else await emit?.(transactionsBetween(from, to))
    await setMark(client, project, 'seeded_until', to)
  }
}

/** Of whole seconds. */
function transactionsBetween(from: Micros, to: Micros): readonly Transaction[] {
  const seconds = Array.from(
    { length: (to - from) / secondMicros },
    (_, index) => from / secondMicros + index,
  )
  return seconds.flatMap((second) => transactionsOfSecond(demoSeed, second))
}

/** A file of the span's events, imported as one would by hand. */
async function importHistory(
  { registry, stores, clock }: DemoOptions,
  span: DemoSpan,
  progress: PartProgress,
): Promise<void> {
  const source = { name: 'transactions', targets: importTargets(registry, 'transactions') }
  const folder = await mkdtemp(join(tmpdir(), 'featuregraph-demo-'))
  try {
    const file = join(folder, 'transactions.ndjson')
    await writeHistory(file, demoSeed, span, (part) => progress(part * 30))
    await importFile({ ...stores, clock }, source, file, {
      dryRun: false,
      onError: 'stop',
      assumeUtc: false,
      maxQuarantined: { kind: 'SHARE', share: 1 },
      format: null,
      onWarning: () => {},
      onWait: () => {},
      onProgress: (_target, _rows, done) => progress(30 + done * 30),
    })
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

/** What is missing of the nights whose job would be done by now, and the way online. */
async function makeSnapshots(
  { project, stores, layouts, clock }: DemoOptions,
  client: pg.ClientBase,
  daily: BatchView,
  progress: PartProgress,
): Promise<void> {
  const { beginning } = await readMark(client, project)
  const targets = { ...stores, ...layouts, clock }
  const recorded = await stores.snapshots.recorded(daily, {
    reachMicros: reachOf(daily),
    since: beginning,
  })
  const known = new Set(recorded.map(({ asOf }) => asOf))
  const times = snapshotTimes(daily, {
    from: beginning + 1,
    to: clock() - snapshotDelay,
    everyMicros: daily.everyMicros,
  }).filter((time) => !known.has(time))
  if (times.length > 0) {
    await computeSnapshots(
      targets,
      daily,
      { kind: 'TIMES', times },
      {
        createdAfterMicros: snapshotDelay,
        onWait: () => {},
        onProgress: (keys) => progress(60 + (keys / customerCount) * 35),
      },
    )
  }
  await materialize(targets, daily, {
    range: null,
    newMarker: randomUUID,
    sleep,
    onWait: () => {},
    onProgress: () => {},
  })
}
