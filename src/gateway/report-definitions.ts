import type { Clock } from '../definitions/timestamp.ts'
import { redefinedTimes } from '../ingest/worker/due-runs.ts'
import { isComputed } from '../registry/is-computed.ts'
import type { BatchView, Registry, StoredView } from '../registry/registry.ts'
import { undigestedDefinition } from '../registry/undigested-definition.ts'
import type { RecordedSnapshot } from '../stores/snapshot-store.ts'
import { reachOf } from '../windows/reach-of.ts'
import type { Stores } from './open-stores.ts'

type ReportStores = Pick<Stores, 'snapshots' | 'offline' | 'fills' | 'runs'>

/**
 * What is stored of the views and is not of today's definitions, a line each, with what ends it: snapshots and rows that
 * another definition computed, and views that look renamed. Rejects with StoreFailed.
 */
export async function reportDefinitions(
  stores: ReportStores,
  { views }: Pick<Registry, 'views'>,
  clock: Clock,
): Promise<readonly string[]> {
  const stored = views.filter((view) => view.kind !== 'STREAM')
  const lines: string[] = []
  for (const view of stored) {
    if (view.kind === 'BATCH') {
      const question = { reachMicros: reachOf(view), since: clock() }
      lines.push(...describeSnapshots(view, await stores.snapshots.recorded(view, question)))
    } else if (await isMaterializedOtherwise(stores, view)) {
      lines.push(
        `${view.name}: its rows online were materialized by another definition; they are UNAVAILABLE (RECOMPUTING) until the worker or \`featuregraph materialize ${view.name}\` has written them again`,
      )
    }
  }
  return [...lines, ...(await renamedViews(stores, views, stored, clock))]
}

function describeSnapshots(view: BatchView, snapshots: readonly RecordedSnapshot[]): readonly string[] {
  const remedy = `until the worker or \`featuregraph batch ${view.name} --stale\` has recomputed them, newest first`
  const others = snapshots.filter(({ lacking }) => lacking === null).length
  const lines: string[] = []
  if (others > 0)
    lines.push(
      `${view.name}: ${others} snapshots were computed by another definition; they are UNAVAILABLE (RECOMPUTING) ${remedy}`,
    )
  const lacking = redefinedTimes({ snapshots }).length - others
  if (lacking > 0) {
    const ids = new Set(snapshots.flatMap((one) => one.lacking ?? []))
    const names = view.features
      .flatMap(({ id, name }) => (ids.has(id) ? [name] : []))
      .sort()
      .join(', ')
    lines.push(`${view.name}: ${lacking} snapshots lack ${names}, which is null (UNAVAILABLE) ${remedy}`)
  }
  return lines
}

async function isMaterializedOtherwise({ runs }: ReportStores, view: StoredView): Promise<boolean> {
  if (!view.online || !isComputed(view)) return false
  const watermark = await runs.readWatermark(view.id)
  return watermark !== null && (watermark.definition !== view.definition || watermark.filling !== null)
}

/** A view without rows that is defined as another was whose table is there and which no definition names any more. */
async function renamedViews(
  { fills, offline }: ReportStores,
  views: Registry['views'],
  stored: readonly StoredView[],
  clock: Clock,
): Promise<readonly string[]> {
  const abandoned = await fills.abandoned(views.map(({ id }) => id))
  const lines: string[] = []
  for (const view of stored) {
    if (view.source !== null) continue
    const same = view.kind === 'BATCH' ? [view.definition, undigestedDefinition(view)] : [view.definition]
    const before = abandoned.find(({ definition }) => same.includes(definition))
    if (!before || (await offline.newestKeys(view, clock(), 1)).length > 0) continue
    const recomputation =
      view.kind === 'BATCH'
        ? `have it computed: \`featuregraph batch ${view.name} --from …\``
        : 'fill it again'
    lines.push(
      `${view.name} has no rows, and means what "${before.id}" did, which no definition names any more: it looks like a rename. To keep what is stored, go back to the version before (\`featuregraph rollback\`) and apply it with \`renamedFrom: '${before.id}'\`; else ${recomputation}`,
    )
  }
  return lines
}
