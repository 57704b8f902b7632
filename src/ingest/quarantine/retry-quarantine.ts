import type { EventLog } from '../../stores/event-log.ts'
import type {
  QuarantinedEntry,
  QuarantineStore,
  RetriedEvent,
  RetriedRow,
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
 * stored at the end of the gateway's own log, since its place in its topic or file was passed, and counts from now; a row goes
 * into the offline store, and online with the next materialize. An entry is gone with the transaction that stores it: so it
 * may be stopped anywhere and run again.
 */
export async function retryQuarantine(
  stores: RetryStores,
  target: RetryTarget,
  cameBy: WayIn | null,
): Promise<RetriedEntries> {
  const name = target.kind === 'EVENTS' ? target.source.name : target.view.name
  const judge = entryJudge(target)
  const staying = new Map<string, number>()
  let [accepted, dropped] = [0, 0]
  for (let past: number | null = null; ; ) {
    const filter = { name, cameBy, order: 'OLDEST_FIRST', past, first: entriesAtOnce } as const
    const entries: readonly QuarantinedEntry[] = await stores.quarantine.page(filter)
    const now = await stores.events.now()
    const judged = entries.map((entry) => ({ id: entry.id, verdict: judge(entry, now) }))
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

async function store(
  { quarantine }: RetryStores,
  target: RetryTarget,
  judged: readonly { readonly id: number; readonly verdict: EntryVerdict }[],
  now: number,
): Promise<readonly (string | null)[]> {
  const events: { readonly id: number; readonly event: RetriedEvent }[] = []
  const rows: RetriedRow[] = []
  for (const { id, verdict } of judged) {
    if (verdict.status === 'EVENT') events.push({ id, event: verdict.event })
    if (verdict.status === 'ROW') rows.push({ id, ...verdict.row })
  }
  if (target.kind === 'EVENTS' && events.length > 0)
    return await quarantine.retryEvents(target.source, logTopic(target.source), events, now)
  if (target.kind === 'ROWS' && rows.length > 0) return await quarantine.retryRows(target.view, rows)
  return []
}
