import type { Drafted } from './draft.ts'
import { draftEntities } from './draft-entities.ts'
import { draftEvents } from './draft-events.ts'
import { draftRows } from './draft-rows.ts'
import { draftService } from './draft-service.ts'
import type { FoundTable, LeftOut } from './found-table.ts'
import { guessRoles } from './guess-roles.ts'
import type { PlacedTable, Refused } from './placed-table.ts'

export interface Drafts {
  readonly definitions: readonly Drafted[]
  readonly leftOut: readonly LeftOut[]
}

/** Entities, sources, views and a service for what was found; `refused` are left out of them, with their reasons. */
export function draftDefinitions(tables: readonly FoundTable[], refused: Refused): Drafts {
  const leftOut: LeftOut[] = []
  const placed: PlacedTable[] = []
  for (const table of tables) {
    const roles = guessRoles(table)
    const reason = refused.get(table.name) ?? ('reason' in roles ? roles.reason : null)
    if (reason === null && !('reason' in roles)) placed.push({ table, roles })
    else leftOut.push({ what: describeOrigin(table), reason: reason ?? '' })
  }
  const entities = draftEntities(placed)
  const names = new Set<string>()
  const views: Drafted[] = []
  const drafts = placed.flatMap((one) => {
    const drafted =
      one.roles.kind === 'EVENTS'
        ? draftEvents(one, entities, names, refused)
        : draftRows(one, entities, names, refused)
    views.push(...drafted.filter(({ writer }) => writer === 'featureView' || writer === 'windowedView'))
    return drafted
  })
  const used = new Set(views.map(({ definition }) => 'entity' in definition && definition.entity))
  return {
    definitions: [
      ...[...entities.values()].filter(({ name }) => used.has(name)),
      ...drafts,
      ...draftService(views),
    ],
    leftOut,
  }
}

function describeOrigin({ origin }: FoundTable): string {
  return origin.kind === 'TABLE' ? origin.table : origin.files
}
