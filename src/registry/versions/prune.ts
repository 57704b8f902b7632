import type { RetiredPart, TableChanges } from '../../stores/table-changes.ts'
import type { VersionStore } from '../../stores/version-store.ts'
import { currentVersion } from './current-version.ts'
import { type ApplyOptions, type ApplyTargets, type ChangeStep, makeCurrent } from './make-current.ts'
import { nothingRetired } from './retired.ts'
import type { ServedVersion } from './served-version.ts'

/** What the version that is current keeps without naming it. */
export interface Retirement {
  readonly version: number
  /** Ids. */
  readonly entities: readonly string[]
  readonly views: readonly string[]
  /** What is there of it in tables. */
  readonly parts: readonly RetiredPart[]
}

/** Null: nothing is retired, or nothing has been applied. Counts rows: it reads whole tables. */
export async function retirementOf({
  versions,
  tables,
}: {
  readonly versions: Pick<VersionStore, 'newest' | 'read'>
  readonly tables: Pick<TableChanges, 'retired'>
}): Promise<Retirement | null> {
  const current = await currentVersion(versions)
  return current && (await retirement(current, tables))
}

async function retirement(
  { version, content: { retired }, registry }: ServedVersion,
  tables: Pick<TableChanges, 'retired'>,
): Promise<Retirement | null> {
  const views = retired.views.map(({ id }) => id)
  const columns = registry.views.flatMap((view) => {
    const names = (Object.hasOwn(retired.columns, view.id) ? retired.columns[view.id] : undefined) ?? []
    return names.length === 0 ? [] : [{ view, columns: names.map(({ name }) => name) }]
  })
  if (views.length + columns.length + retired.entities.length === 0) return null
  return { version, entities: retired.entities, views, parts: await tables.retired(views, columns) }
}

/**
 * Drops what is retired, and makes a version current that knows nothing of it any more. An earlier version can still be
 * rolled back to; its removed features are empty then. Stored events and records of deletions stay.
 * @throws ApplyRefused when another process changes the registry, a table stays in use, or something depends on it.
 */
export async function prune(targets: ApplyTargets, options: ApplyOptions): Promise<ServedVersion | null> {
  if ((await currentVersion(targets.versions)) === null) return null
  return await makeCurrent(
    targets,
    {
      kind: 'PRUNE',
      async plan(current) {
        if (current === null) throw new TypeError('versions do not vanish')
        const found = await retirement(current, targets.tables)
        if (found === null) return { status: 'NOTHING', current }
        return {
          status: 'VERSION',
          content: { ...current.content, retired: nothingRetired },
          changes: found.parts.map(
            ({ what, owner, count, counted }) => `${what}, ${owner}: dropped, ${count} ${counted}`,
          ),
          steps: stepsOf(found, targets.tables),
        }
      },
    },
    options,
  )
}

function stepsOf({ views, parts }: Retirement, tables: TableChanges): readonly ChangeStep[] {
  const dropping = parts.flatMap(({ steps }) =>
    steps.map((step): ChangeStep => ({ what: step.what, make: (report) => tables.make(step, report) })),
  )
  if (views.length === 0) return dropping
  const forgetting = `what is recorded of ${views.map((id) => `feature view "${id}"`).join(', ')}`
  return [{ what: forgetting, make: () => tables.forget(views) }, ...dropping]
}
