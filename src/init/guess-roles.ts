import { entityNouns } from './entity-nouns.ts'
import type { FoundColumn, FoundTable } from './found-table.ts'
import { guessName, isKeyName, singular } from './guess-names.ts'

/** What a table's rows are of, and when; `because` says by what that was guessed. */
export interface Roles {
  /** EVENTS: what happened, many rows a key. ROWS: features of one key at a time. */
  readonly kind: 'EVENTS' | 'ROWS'
  /** The join keys of an entity each; of ROWS one. */
  readonly entities: readonly (readonly FoundColumn[])[]
  readonly eventTimestamp: FoundColumn
  readonly createdTimestamp: FoundColumn | null
  /** The key of the event itself. */
  readonly eventId: FoundColumn | null
  readonly because: string
}

const keyTypes: readonly (string | null)[] = ['int32', 'int64', 'string', 'uuid']
const changed = /^(?:last_)?(?:updated|modified|changed)/
const created = /^(?:created|inserted|loaded|ingested|recorded|stored)/
const ofEvent = /^event_?(?:time|timestamp|ts|at|date)?$/

/** Roles by names, keys and types; else why none could be given. */
export function guessRoles(table: FoundTable): Roles | { readonly reason: string } {
  const times = table.columns.filter(({ type }) => type === 'timestamp')
  const [unique = null] = table.uniqueKeys
  const inKey = times.filter(({ name }) => unique?.includes(name))
  const eventTimestamp = [...inKey, ...times.toSorted((left, right) => rank(left) - rank(right))][0]
  if (!eventTimestamp)
    return { reason: 'no column says when a row was true: features and events need an event timestamp' }
  const isOfEvent = inKey.length > 0 || rank(eventTimestamp) <= 1
  const createdTimestamp = isOfEvent
    ? (times.find((one) => one !== eventTimestamp && rank(one) === 3) ?? null)
    : null
  const common = { eventTimestamp, createdTimestamp }

  if (unique === null) {
    const [id] = keysAmong(table.columns)
    if (!id) return { reason: noKey(table) }
    return rank(eventTimestamp) === 0
      ? {
          ...common,
          kind: 'ROWS',
          entities: [[id]],
          eventId: null,
          because: `its times are called ${eventTimestamp.name}`,
        }
      : {
          ...common,
          kind: 'EVENTS',
          entities: keysAmong(table.columns).map((key) => [key]),
          eventId: null,
          because: 'no column is unique',
        }
  }
  const key = unique.flatMap((name) => table.columns.find((column) => column.name === name) ?? [])
  const entity = key.filter((column) => column !== eventTimestamp)
  const [only] = entity
  const references = keysAmong(table.columns.filter((column) => !key.includes(column)))
  // A row that changes happened when it was created.
  const happened = rank(eventTimestamp) === 2 ? times.find((one) => rank(one) === 3) : eventTimestamp
  const isOfEntity = entityNouns.has(singular(guessName(table.name)))
  if (entity.length === 1 && only && inKey.length === 0 && references.length > 0 && happened && !isOfEntity) {
    const changes =
      happened === eventTimestamp
        ? ''
        : `; they change until ${eventTimestamp.name}, and events are taken as they are now`
    return {
      ...{ kind: 'EVENTS', entities: references.map((id) => [id]), eventId: only },
      ...{
        eventTimestamp: happened,
        createdTimestamp: happened === eventTimestamp ? createdTimestamp : null,
      },
      because: `each row has a key of its own (${only.name}) and those of others${changes}`,
    }
  }
  const unfit = entity.find(({ type }) => !keyTypes.includes(type))
  if (entity.length === 0 || unfit) {
    const why = unfit
      ? `${unfit.name} is ${unfit.storedType}`
      : `${unique.join(', ')} is its event timestamp alone`
    return { reason: `its key cannot be an entity's: ${why}; join keys are ${keyTypes.join(', ')}` }
  }
  return {
    ...common,
    kind: 'ROWS',
    entities: [entity],
    eventId: null,
    because: `its key is ${unique.join(', ')}`,
  }
}

/** 0: says that it is the event's; 1: any other time; 2: of the last change; 3: of the row's creation. */
function rank({ name }: FoundColumn): 0 | 1 | 2 | 3 {
  const guessed = guessName(name)
  if (ofEvent.test(guessed)) return 0
  if (changed.test(guessed)) return 2
  return created.test(guessed) ? 3 : 1
}

/** Columns that are called as keys are; where there are none, those that are called as what has a key. */
function keysAmong(columns: readonly FoundColumn[]): readonly FoundColumn[] {
  const possible = columns.filter(({ type }) => keyTypes.includes(type))
  const ids = possible.filter(({ name }) => isKeyName(name))
  if (ids.length > 0) return ids
  return possible.filter(({ name, repeats }) => entityNouns.has(guessName(name)) && repeats !== false)
}

function noKey({ columns }: FoundTable): string {
  const names = columns.slice(0, 10).map(({ name }) => name)
  return `no column looks like the key of an entity, as customer_id; it has ${names.join(', ')}`
}
