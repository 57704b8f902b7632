import { type AggregationDefinition, count, countDistinct, mean, sum } from '../definitions/aggregation.ts'
import { fileSource, postgresSource } from '../definitions/data-source.ts'
import { type EntityDefinition, entity } from '../definitions/entity.ts'
import { type EventSourceDefinition, eventSource } from '../definitions/event-source.ts'
import { featureService } from '../definitions/feature-service.ts'
import { featureView, type PickableView } from '../definitions/feature-view.ts'
import { elementType, isNumeric, type JoinKeyType } from '../definitions/value-type.ts'
import { batch, windowedView } from '../definitions/windowed-view.ts'
import { Code, type Draft, plainValue } from './draft.ts'
import type { FoundColumn, FoundTable, LeftOut } from './found-table.ts'
import { constantName, guessName, singular } from './guess-names.ts'
import { guessRoles, type Roles } from './guess-roles.ts'
import { isReservedName } from './reserved-column.ts'

/** A draft with the definition that its code makes. */
export interface Drafted extends Draft {
  readonly definition: object
  /** Where its rows or events come from; null: from other definitions. */
  readonly table: FoundTable | null
}

export interface Drafts {
  readonly definitions: readonly Drafted[]
  readonly leftOut: readonly LeftOut[]
}

/** A feature or field that must not be drafted: `feature view customers.mood`, with the reason. */
export type Refused = ReadonlyMap<string, string>

interface PlacedTable {
  readonly table: FoundTable
  readonly roles: Roles
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
        : [draftRows(one, entities, names, refused)].flat()
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

type Entities = ReadonlyMap<string, Drafted>

/** A join key's name in the registry: `id` of `customers` is `customer_id`. */
function joinKeyName(column: FoundColumn, table: FoundTable): string {
  const name = guessName(column.name)
  return ['id', 'key', 'uuid'].includes(name) ? `${singular(guessName(table.name))}_${name}` : name
}

function entityName(columns: readonly FoundColumn[], table: FoundTable): string {
  const [only] = columns
  if (columns.length !== 1 || !only) return singular(guessName(table.name))
  return joinKeyName(only, table).replace(/_(?:id|key|uuid)$/, '')
}

/** By name; where tables have a key as int32 and int64, both are read as int64, and anything beside a text as a text. */
function draftEntities(placed: readonly PlacedTable[]): Entities {
  const types = new Map<string, Map<string, JoinKeyType>>()
  for (const { table, roles } of placed) {
    for (const columns of roles.entities) {
      const name = entityName(columns, table)
      const keys = types.get(name) ?? new Map<string, JoinKeyType>()
      for (const column of columns) {
        const key = joinKeyName(column, table)
        keys.set(key, widest(keys.get(key), column.type as JoinKeyType))
      }
      types.set(name, keys)
    }
  }
  return new Map(
    [...types].map(([name, keys]) => {
      const options = { joinKeys: Object.fromEntries(keys) }
      const draft = { writer: 'entity', name, constant: constantName(name), options, comments: [] } as const
      return [name, { ...draft, definition: entity(name, options), table: null }]
    }),
  )
}

function widest(left: JoinKeyType | undefined, right: JoinKeyType): JoinKeyType {
  if (left === undefined || left === right) return right
  return left === 'string' || right === 'string' ? 'string' : 'int64'
}

function draftEvents(
  { table, roles }: PlacedTable,
  entities: Entities,
  names: Set<string>,
  refused: Refused,
): Drafted[] {
  const name = unusedName(guessName(table.name), names)
  const { eventId } = roles
  const comments = [`Guessed to be events: ${roles.because}. If its rows are features, write a featureView.`]
  const used = usedColumns(roles)
  const fields: Record<string, unknown> = {}
  const columns: Record<string, string> = {}
  const aggregated: FoundColumn[] = []
  for (const column of table.columns) {
    const isKey = roles.entities.some((keys) => keys.includes(column))
    if (used.has(column) && !isKey) continue
    const field = isKey ? joinKeyName(column, table) : columnName(column, table)
    const reason =
      refused.get(`event source ${name}.${field}`) ??
      (column.type !== null && elementType(column.type) !== null
        ? 'an event has no lists'
        : unmappable(column))
    if (reason !== null) {
      comments.push(notMapped(column, reason))
      continue
    }
    const type = isKey ? keyType(entities, table, column) : column.type
    fields[field] = column.description === null ? type : { type, description: column.description }
    if (field !== column.name) columns[field] = column.name
    if (!isKey) aggregated.push(column)
  }
  const options = {
    ...(table.origin.kind === 'TABLE' ? { table: table.origin.table } : {}),
    eventTimestamp: roles.eventTimestamp.name,
    ...createdOf(roles),
    ...(eventId !== null && table.origin.kind === 'FILES' ? { eventId: eventId.name } : {}),
    ...zoneOf(table, roles),
    ...(Object.keys(columns).length > 0 ? { columns } : {}),
    fields,
    ...(table.description === null ? {} : { description: table.description }),
  }
  const source: EventSourceDefinition = eventSource(
    name,
    plainValue(options) as Parameters<typeof eventSource>[1],
  )
  const constant = constantName(name)
  const drafted = {
    writer: 'eventSource',
    name,
    constant,
    options,
    comments: [...comments, ...zoneComment(options)],
  } as const
  const views = roles.entities.map((keys) => {
    const of = entities.get(entityName(keys, table))
    return windowsOf({ ...drafted, definition: source, table }, of, aggregated, table, names, refused)
  })
  return [{ ...drafted, definition: source, table }, ...views.flat()]
}

function windowsOf(
  source: Drafted,
  of: Drafted | undefined,
  aggregated: readonly FoundColumn[],
  table: FoundTable,
  names: Set<string>,
  refused: Refused,
): Drafted[] {
  if (!of) return []
  const events = source.definition as EventSourceDefinition
  const name = unusedName(`${of.name}_${source.name}`, names)
  const features: Record<string, Code> = {}
  const add = (feature: string, text: string, aggregation: AggregationDefinition): void => {
    if (!refused.has(`feature view ${name}.${feature}`)) features[feature] = new Code(text, aggregation)
  }
  for (const window of ['7d', '30d']) add(`${source.name}_${window}`, `count('${window}')`, count(window))
  for (const column of aggregated) {
    const field = columnName(column, table)
    if (column.type === 'bool') {
      const where = { where: { [field]: true } }
      add(`${field}_30d`, `count('30d', { where: { ${field}: true } })`, count('30d', where))
    } else if (column.type !== null && isNumeric(column.type)) {
      add(`${field}_sum_30d`, `sum('${field}', '30d')`, sum(field, '30d'))
      add(`${field}_mean_30d`, `mean('${field}', '30d')`, mean(field, '30d'))
    } else if (column.type === 'string') {
      add(`distinct_${field}_30d`, `countDistinct('${field}', '30d')`, countDistinct(field, '30d'))
    }
  }
  const options = {
    entity: new Code(of.constant, of.definition),
    source: new Code(source.constant, events),
    compute: new Code("batch({ every: '1d' })", batch({ every: '1d' })),
    features,
  }
  const definition = windowedView(name, {
    entity: of.definition as EntityDefinition,
    source: events,
    compute: batch({ every: '1d' }),
    features: plainValue(features) as Record<string, AggregationDefinition>,
  })
  return [
    {
      writer: 'windowedView',
      name,
      constant: constantName(name),
      options,
      comments: [],
      definition,
      table: null,
    },
  ]
}

function draftRows(
  { table, roles }: PlacedTable,
  entities: Entities,
  names: Set<string>,
  refused: Refused,
): Drafted[] {
  const [keys = []] = roles.entities
  const of = entities.get(entityName(keys, table))
  if (!of) return []
  const bare = guessName(table.name)
  const name = unusedName(singular(bare) === of.name ? `${of.name}_features` : bare, names)
  const comments = [
    `Guessed to be rows of features: ${roles.because}. If they are events, write an eventSource.`,
  ]
  const used = usedColumns(roles)
  const features: Record<string, unknown> = {}
  const columns: Record<string, string> = {}
  for (const key of keys)
    if (joinKeyName(key, table) !== key.name) columns[joinKeyName(key, table)] = key.name
  for (const column of table.columns) {
    if (used.has(column)) continue
    const feature = columnName(column, table)
    const reason = refused.get(`feature view ${name}.${feature}`) ?? unmappable(column)
    if (reason !== null) {
      comments.push(notMapped(column, reason))
      continue
    }
    const { type, description } = column
    features[feature] = description === null ? type : { type, description }
    if (feature !== column.name) columns[feature] = column.name
  }
  const at = {
    eventTimestamp: roles.eventTimestamp.name,
    ...createdOf(roles),
    ...(table.origin.kind === 'FILES' ? zoneOf(table, roles) : {}),
    ...(Object.keys(columns).length > 0 ? { columns } : {}),
  }
  const source =
    table.origin.kind === 'TABLE'
      ? call('postgresSource', name, { table: table.origin.table, ...at }, postgresSource)
      : call('fileSource', name, at, fileSource)
  const options = {
    entity: new Code(of.constant, of.definition),
    source,
    features,
    ...(table.description === null ? {} : { description: table.description }),
  }
  const definition = featureView(name, plainValue(options) as Parameters<typeof featureView>[1])
  const constant = constantName(name)
  return [
    {
      writer: 'featureView',
      name,
      constant,
      options,
      comments: [...comments, ...zoneComment(at)],
      definition,
      table,
    },
  ]
}

function call<Options>(
  writer: string,
  name: string,
  options: Options,
  make: (name: string, options: Options) => object,
): Code {
  const value = make(name, options)
  return new NamedCall(writer, name, options, value)
}

/** A call with options of its own, which are printed with it. */
export class NamedCall extends Code {
  readonly writer: string
  readonly name: string
  readonly options: unknown
  constructor(writer: string, name: string, options: unknown, value: unknown) {
    super(writer, value)
    this.writer = writer
    this.name = name
    this.options = options
  }
}

/** Of the numeric features of the first view that has some. */
function draftService(views: readonly Drafted[]): Drafted[] {
  for (const view of views) {
    const definition = view.definition as PickableView<string> & {
      readonly features: object
      readonly entity: string
    }
    const names = Object.entries(definition.features).flatMap(([name, feature]: [string, unknown]) =>
      isServed(feature) ? [name] : [],
    )
    if (names.length === 0) continue
    const pick = definition.pick(...names)
    const name = `${view.name}_v1`
    const text = `${view.constant}.pick(${names.map((one) => `'${one}'`).join(', ')})`
    const comments = [
      'What one model takes, in the order of its vector: name it after the model, and pick what it needs.',
    ]
    const draft = {
      writer: 'featureService',
      name,
      constant: constantName(name),
      options: [new Code(text, pick)],
      comments,
    } as const
    return [{ ...draft, definition: featureService(name, [pick]), table: null }]
  }
  return []
}

function isServed(feature: unknown): boolean {
  if (typeof feature === 'object' && feature !== null && 'aggregate' in feature) return true
  const type = typeof feature === 'object' && feature !== null && 'type' in feature ? feature.type : feature
  return typeof type === 'string' && isNumeric(type as Parameters<typeof isNumeric>[0])
}

function keyType(entities: Entities, table: FoundTable, column: FoundColumn): unknown {
  const of = entities.get(entityName([column], table))
  const definition = of?.definition as EntityDefinition | undefined
  return definition?.joinKeys[joinKeyName(column, table)] ?? column.type
}

function columnName(column: FoundColumn, table: FoundTable): string {
  const name = guessName(column.name)
  return isReservedName(name) ? `${singular(guessName(table.name))}_${name}` : name
}

function usedColumns(roles: Roles): ReadonlySet<FoundColumn | null> {
  return new Set([roles.eventTimestamp, roles.createdTimestamp, roles.eventId, ...roles.entities.flat()])
}

function createdOf({ createdTimestamp }: Roles): object {
  return createdTimestamp === null ? {} : { createdTimestamp: createdTimestamp.name }
}

function zoneOf({ columns, origin }: FoundTable, _: Roles): object {
  return origin.kind === 'FILES' && columns.some(({ isLocalTime }) => isLocalTime) ? { timezone: 'UTC' } : {}
}

function zoneComment(options: object): string[] {
  return 'timezone' in options ? ['Its times have no offset: set the zone that they are in.'] : []
}

function unmappable({ type, storedType }: FoundColumn): string | null {
  return type === null ? `no feature type reads ${storedType}` : null
}

function notMapped({ name }: FoundColumn, reason: string): string {
  return `Not mapped: ${name}: ${reason}`
}

function describeOrigin({ origin }: FoundTable): string {
  return origin.kind === 'TABLE' ? origin.table : origin.files
}

function unusedName(name: string, names: Set<string>): string {
  let unused = name
  for (let number = 2; names.has(unused); number += 1) unused = `${name}_${number}`
  names.add(unused)
  return unused
}
