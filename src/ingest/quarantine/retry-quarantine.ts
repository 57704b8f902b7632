import type { Micros } from '../../definitions/timestamp.ts'
import type { EventLog } from '../../stores/event-log.ts'
import type {
  QuarantinedEntry,
  QuarantineStore,
  RetriedEventEntry,
  RetryPlace,
  WayIn,
} from '../../stores/quarantine-store.ts'
import { logTopic } from '../push/push-events.ts'
import { type EntryVerdict, entryJudge } from './judge-entry.ts'
import type { RetryTarget } from './retry-target.ts'

interface RetryStores {
  readonly quarantine: Pick<QuarantineStore, 'page' | 'retryEvents' | 'retryRows'>
  readonly events: Pick<EventLog, 'now'>
}

export interface RetriedEntries {
  /** Stored now. */
  readonly accepted: number
  /** Their entity was deleted, or their id has an event already: gone. */
  readonly dropped: number
  /** By the reason why they stay, as of today. */
  readonly staying: ReadonlyMap<string, number>
}

const entriesAtOnce = 500

/**
 * Quarantined entries of one name, tried again by today's definitions and the present, the oldest first. An event that fits is
 * stored at the end of the gateway's own log, since its place in its topic was passed (a file's at a topic of its own, so that the
 * file may come again), and counts from now; a row goes
 * into the offline store, and online with the next materialize. An entry is gone with the transaction that stores it: so it
 * may be stopped anywhere and run again.
 */
export async function retryQuarantine(
  stores: RetryStores,
  target: RetryTarget,
  cameBy: WayIn | null,
): Promise<RetriedEntries> {
  const name = target.kind === 'EVENTS' ? target.source.name : target.view.id
  const judge = entryJudge(target)
  const staying = new Map<string, number>()
  let [accepted, dropped] = [0, 0]
  for (let past: number | null = null; ; ) {
    const filter = { name, cameBy, order: 'OLDEST_FIRST', past, first: entriesAtOnce } as const
    const entries: readonly QuarantinedEntry[] = await stores.quarantine.page(filter)
    const now = await stores.events.now()
    const judged = entries.map((entry) => ({ entry, verdict: judge(entry, now) }))
    for (const { verdict } of judged)
      if (verdict.status === 'STAYS') staying.set(verdict.reason, (staying.get(verdict.reason) ?? 0) + 1)
    for (const outcome of await store(stores, target, judged, now)) {
      if (outcome === 'STORED') accepted += 1
      else if (outcome !== null) dropped += 1
    }
    past = entries.at(-1)?.id ?? null
    if (past === null || entries.length < entriesAtOnce) return { accepted, dropped, staying }
  }
}

interface JudgedEntry {
  readonly entry: QuarantinedEntry
  readonly verdict: EntryVerdict
}

async function store(
  { quarantine }: RetryStores,
  target: RetryTarget,
  judged: readonly JudgedEntry[],
  now: Micros,
): Promise<readonly (string | null)[]> {
  if (target.kind === 'ROWS') {
    const rows = judged.flatMap(({ entry: { id }, verdict }) =>
      verdict.status === 'ROW' ? [{ id, ...verdict.row }] : [],
    )
    return rows.length === 0 ? [] : await quarantine.retryRows(target.view, rows)
  }
  const outcomes: (string | null)[] = []
  for (const { place, entries } of byPlace(logTopic(target.source), judged))
    outcomes.push(...(await quarantine.retryEvents(target.source, place, entries, now)))
  return outcomes
}

/** Rows of each import of a file by themselves. */
function byPlace(topic: string, judged: readonly JudgedEntry[]) {
  const places = new Map<string, { readonly place: RetryPlace; readonly entries: RetriedEventEntry[] }>()
  for (const { entry, verdict } of judged) {
    if (verdict.status !== 'EVENT') continue
    const { id, file, recordedAt: importedAt } = entry
    const name = file === null ? '' : `${importedAt} ${file.path}`
    const place: RetryPlace =
      file === null ? { kind: 'LOG', topic } : { kind: 'FILE', path: file.path, importedAt, topic }
    const known = places.get(name) ?? { place, entries: [] }
    known.entries.push({ id, event: verdict.event, row: file?.row ?? 0 })
    places.set(name, known)
  }
  return places.values()
}
