import type { Micros } from '../../definitions/timestamp.ts'
import { deadLetterTopic } from '../../registry/dead-letter-topic.ts'
import type { DeletionCount } from '../../stores/deletion-store.ts'
import type { DeletionScope } from './deletion-scope.ts'

export interface DeletionReceipt {
  readonly entity: string
  /** Rows and events up to here are refused from now on. */
  readonly deletedAt: Micros
  /** By place, zeros too. */
  readonly counts: readonly DeletionCount[]
  /** What holds data of the entity perhaps, and is out of reach. */
  readonly notReached: readonly string[]
}

/** Counts of several passes, added up by place. */
export function deletionCounts({ views }: DeletionScope, onlineName: string) {
  const rows = new Map<string, number>()
  const onlinePlace = `online (${onlineName})`
  const add = (counts: readonly DeletionCount[]): void => {
    for (const count of counts) rows.set(count.place, (rows.get(count.place) ?? 0) + count.rows)
  }
  return {
    add,
    addOnline: (count: number): void => add([{ place: onlinePlace, rows: count }]),
    all(): readonly DeletionCount[] {
      if (!views.some((view) => view.online)) rows.delete(onlinePlace)
      return [...rows].map(([place, count]) => ({ place, rows: count }))
    },
  }
}

function placeOf(source: NonNullable<DeletionScope['views'][number]['source']>): string {
  if (source.kind === 'parquet')
    return `the ${source.format === 'delta' ? 'Delta table' : 'files'} ${source.path}`
  return source.table === undefined ? 'the query' : `the table ${source.table}`
}

/** What a deletion cannot reach, in words for the caller. */
export function notReached({ views, sources }: DeletionScope): readonly string[] {
  const mappedViews = views.flatMap(({ name, source }) => {
    if (source === null) return []
    return [`${placeOf(source)} of source "${source.name}", which feature view "${name}" reads`]
  })
  const fileSources = views.flatMap((view) =>
    view.kind === 'PLAIN' && view.files !== null ? [view.files.name] : [],
  )
  const imported = [...sources.filter(({ table }) => table === null).map(({ name }) => name), ...fileSources]
  return [
    ...sources.flatMap(({ name, topic }) =>
      topic === null
        ? []
        : [
            `the topic "${topic}" of event source "${name}", and "${deadLetterTopic(topic)}"`,
            `messages of the topic "${topic}" that were dead-lettered because they could not be read`,
          ],
    ),
    ...sources.flatMap(({ name, table }) =>
      table === null ? [] : [`the table ${table} of event source "${name}"`],
    ),
    ...new Set(mappedViews),
    ...[...new Set(imported)].map((name) => `files that were imported into "${name}"`),
    'training files that were handed out',
    'backups',
    'lines of logs',
  ]
}
