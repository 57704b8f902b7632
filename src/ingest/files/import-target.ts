import { type SourceReading, sourceReading } from '../../definitions/source-reading.ts'
import type { ScalarValue } from '../../definitions/value.ts'
import type { ValueType } from '../../definitions/value-type.ts'
import { BadUserInput } from '../../errors.ts'
import type {
  EventSource,
  Expectation,
  Feature,
  JoinKey,
  PlainView,
  Registry,
} from '../../registry/registry.ts'
import { suggest } from '../../registry/suggest.ts'
import type { ImportTable } from '../../stores/import-store.ts'

/** A column of the table and where a file has it. */
interface TargetColumn {
  readonly name: string
  /** A feature's first name; else the name. */
  readonly id: string
  readonly type: ValueType
  /** In the file. */
  readonly column: string
  /** A row without it names no entity. */
  readonly isKey: boolean
  /** Taken where the file has null, or no such column. */
  readonly default: ScalarValue | null
  readonly expectation: Expectation | null
}

/** What a file's rows become, in one table. */
export interface ImportTarget {
  /** Of the event source or the view. */
  readonly name: string
  /** What violations and quarantined rows are recorded under. */
  readonly recordedAs: string
  readonly table: ImportTable
  readonly view: PlainView | null
  readonly eventTimestamp: string
  readonly createdTimestamp: string | null
  /** Of a row whose created timestamp is null: known from its import on; null: always, an event from when it happened. */
  readonly nullCreated: 'arrival' | null
  readonly eventId: string | null
  readonly timezone: string | null
  readonly reading: SourceReading
  /** In the order of `ImportedRows.columns`. */
  readonly columns: readonly TargetColumn[]
}

/**
 * Where the files of a source go: the stored events of an event source, or the tables of the views that are filled from
 * a file source.
 * @throws BadUserInput for an unknown name, and for a source whose rows are read where they stand.
 */
export function importTargets(registry: Registry, name: string): readonly ImportTarget[] {
  const events = registry.eventSources.find((source) => source.name === name)
  if (events) return [eventTarget(events)]
  const plain = registry.views.filter((view) => view.kind === 'PLAIN')
  const views = plain.flatMap((view) => (view.files?.name === name ? [viewTarget(view)] : []))
  if (views.length > 0) return views
  const mapped = plain.find((view) => view.source?.name === name)?.source
  if (mapped)
    throw new BadUserInput(
      `the rows of source "${name}" stand in ${mapped.kind === 'postgres' ? 'Postgres' : mapped.path} and are read there; it needs no import`,
    )
  const known = [
    ...registry.eventSources.filter(({ table }) => table === null).map((source) => source.name),
    ...plain.flatMap((view) => view.files?.name ?? []),
  ]
  throw new BadUserInput(
    `there is no event source or file source ${JSON.stringify(name)}; ${suggest(name, [...new Set(known)])}`,
  )
}

function eventTarget(source: EventSource): ImportTarget {
  if (source.table !== null) {
    throw new BadUserInput(
      `the events of source "${source.name}" stand in the table ${source.table} and are read there; it needs no import`,
    )
  }
  const keys = new Set(source.keyFields.map(({ name }) => name))
  return {
    name: source.name,
    recordedAs: source.name,
    table: { kind: 'EVENTS', source },
    view: null,
    eventTimestamp: source.eventTimestamp,
    createdTimestamp: source.createdTimestamp,
    nullCreated: source.nullCreated,
    eventId: source.eventId,
    timezone: source.timezone,
    reading: source.reading,
    columns: source.fields.map((field) => ({ ...field, id: field.name, isKey: keys.has(field.name) })),
  }
}

function viewTarget(view: PlainView): ImportTarget {
  const { files } = view
  if (files === null) throw new BadUserInput(`feature view "${view.name}" is not filled from files`)
  const columnOf = ({ name, type }: Feature | JoinKey, id: string) => {
    return { name, id, type, column: files.columns[name] ?? name, default: null }
  }
  return {
    name: view.name,
    recordedAs: view.id,
    table: { kind: 'ROWS', view },
    view,
    eventTimestamp: files.eventTimestamp,
    createdTimestamp: files.createdTimestamp ?? null,
    nullCreated: files.nullCreated ?? null,
    eventId: null,
    timezone: files.timezone ?? null,
    reading: sourceReading(files),
    columns: [
      ...view.entity.joinKeys.map((key) => ({ ...columnOf(key, key.name), isKey: true, expectation: null })),
      ...view.features.map((feature) => ({
        ...columnOf(feature, feature.id),
        isKey: false,
        expectation: feature.expectation,
      })),
    ],
  }
}
