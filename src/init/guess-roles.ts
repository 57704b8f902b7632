import type { FoundColumn, FoundTable } from './found-table.ts'
import { guessName } from './guess-names.ts'

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

const keyTypes: readonly (string | null)[] = ['int32', 'int64', 'string']
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
  const ids = table.columns.filter(isKeyLike)
  const common = { eventTimestamp, createdTimestamp }

  if (unique === null) {
    if (ids.length === 0) return { reason: noKey(table) }
    return rank(eventTimestamp) === 0
      ? {
          ...common,
          kind: 'ROWS',
          entities: [ids.slice(0, 1)],
          eventId: null,
          because: `its times are called ${eventTimestamp.name}`,
        }
      : {
          ...common,
          kind: 'EVENTS',
          entities: ids.map((id) => [id]),
          eventId: null,
          because: 'no column is unique',
        }
  }
  const key = unique.flatMap((name) => table.columns.find((column) => column.name === name) ?? [])
  const entity = key.filter((column) => column !== eventTimestamp)
  const [only] = entity
  const references = ids.filter((column) => !key.includes(column))
  const isMutable = !isOfEvent && times.some((one) => rank(one) === 2)
  if (entity.length === 1 && only && inKey.length === 0 && references.length > 0 && !isMutable) {
    const because = `each row has a key of its own (${only.name}) and those of others`
    return { ...common, kind: 'EVENTS', entities: references.map((id) => [id]), eventId: only, because }
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

function isKeyLike({ name, type }: FoundColumn): boolean {
  return keyTypes.includes(type) && /(?:^|_)(?:id|key|uuid)$/.test(guessName(name))
}

function noKey({ columns }: FoundTable): string {
  const names = columns.slice(0, 10).map(({ name }) => name)
  return `no column looks like the key of an entity, as customer_id; it has ${names.join(', ')}`
}
