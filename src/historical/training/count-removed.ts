import { concernsEntity } from '../../definitions/concerns-entity.ts'
import { formatTimestamp, type Micros } from '../../definitions/timestamp.ts'
import { planService, readsByKey } from '../../online/service-row.ts'
import type { FeatureService, StreamView } from '../../registry/registry.ts'
import type { DeletedEntities, LaterChanges } from '../../stores/later-changes.ts'
import { windowStart } from '../../windows/hop.ts'
import type { SpineRows } from '../spine/read-spine.ts'
import { streamViews } from './carded-training-set.ts'
import type { TrainingCard } from './read-card.ts'

/** Of one row of the spine: whether what it was answered from is not all there any more. */
interface RowCount {
  readonly isAffected: (keys: SpineRows['keys'], row: number, asOf: Micros) => boolean
  readonly say: (rows: number) => string
}

/**
 * What a training set was made of and is gone or changed since its card, a sentence each with the numbers; none where all is
 * there. The spine is read only where rows have to be counted.
 */
export async function countRemoved(
  { database: { snapshot }, storedSince }: Pick<TrainingCard, 'database' | 'storedSince'>,
  service: FeatureService,
  changes: LaterChanges,
  readSpine: () => AsyncIterable<SpineRows>,
): Promise<readonly string[]> {
  const streamed = streamViews(service)
  const sources = [...new Set(streamed.map(({ events }) => events.name))]
  const [erased, since, corrected] = await Promise.all([
    changes.erased(snapshot),
    changes.storedSince(sources),
    changes.corrected(snapshot, sources),
  ])
  const found: string[] = []
  const counts = [
    ...erased.flatMap((entities) => ofErased(service, entities)),
    ...streamed.flatMap((view) => ofDropped(view, storedSince, since)),
  ]
  if (counts.length > 0) {
    const rows = counts.map(() => 0)
    for await (const { keys, times } of readSpine())
      counts.forEach(({ isAffected }, index) => {
        times.forEach((asOf, row) => {
          if (!Number.isNaN(asOf) && isAffected(keys, row, asOf)) rows[index] = (rows[index] ?? 0) + 1
        })
      })
    counts.forEach(({ say }, index) => {
      const affected = rows[index] ?? 0
      if (affected > 0) found.push(say(affected))
    })
  }
  for (const entities of erased) {
    const elsewhere = streamed.filter((view) => isOfOthers(view, entities))
    const names = [...new Set(elsewhere.map(({ events }) => `"${events.name}"`))].join(', ')
    if (names !== '')
      found.push(
        `${counted(entities.count, 'deletion')} of "${entities.entity}" may have removed events of ${names}`,
      )
  }
  if (corrected > 0) found.push(`${counted(corrected, 'event')} got other times when a clock was corrected`)
  return found
}

function ofErased(
  service: FeatureService,
  { entity, joinKeys, isDeleted }: DeletedEntities,
): readonly RowCount[] {
  return readsByKey(planService(service)).flatMap((group) => {
    const own = group.entity.joinKeys
    if (!concernsEntity(own, joinKeys)) return []
    const places = joinKeys.map(
      ({ name }) => group.keyPlaces[own.findIndex((key) => key.name === name)] ?? -1,
    )
    return [
      {
        isAffected: (keys, row) => isDeleted(places.map((place) => keys[place]?.at(row) ?? null)),
        say: (rows) => `${counted(rows, 'row')} of the spine: "${entity}" of that key was deleted`,
      } satisfies RowCount,
    ]
  })
}

function ofDropped(
  { name, events, aggregations }: StreamView,
  before: TrainingCard['storedSince'],
  since: ReadonlyMap<string, Micros>,
): readonly RowCount[] {
  const [then, now] = [before[events.name] ?? Number.NEGATIVE_INFINITY, since.get(events.name)]
  if (now === undefined || now <= then) return []
  const earliest = (asOf: Micros): Micros =>
    Math.min(...aggregations.map(({ windowMicros, hopMicros }) => windowStart(asOf, windowMicros, hopMicros)))
  return [
    {
      isAffected(_keys, _row, asOf) {
        const start = earliest(asOf)
        return start < now && start >= then
      },
      say: (rows) =>
        `${counted(rows, 'row')} of the spine: windows of "${name}" reach behind ${formatTimestamp(now)}, until when events of "${events.name}" were dropped`,
    },
  ]
}

/** Events of the view's keys may name such an entity too: deleting one changes windows of keys that it does not name. */
function isOfOthers({ events, entity }: StreamView, { joinKeys }: DeletedEntities): boolean {
  return concernsEntity(events.fields, joinKeys) && !concernsEntity(entity.joinKeys, joinKeys)
}

function counted(count: number, what: string): string {
  return `${count} ${what}${count === 1 ? '' : 's'}`
}
