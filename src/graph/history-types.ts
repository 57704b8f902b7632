import { GraphQLBoolean, type GraphQLFieldResolver } from 'graphql'
import type { Micros } from '../definitions/timestamp.ts'
import type { EntityKey } from '../definitions/value.ts'
import { BadUserInput } from '../errors.ts'
import type { StoredView } from '../registry/registry.ts'
import type { StoredRow, StoredRowPlace } from '../stores/stored-rows.ts'
import type { GraphContext } from './context.ts'
import { type FieldDeclaration, objectType, optional, type TypeClass } from './declare.ts'
import { describeFeature } from './descriptions.ts'
import { acceptFirst, connectionType, pageArguments, unreadable } from './pages.ts'
import type { NeedTimes } from './row-sources.ts'
import { timestampScalar } from './scalars.ts'
import { graphqlTypeOf } from './value-types.ts'

interface HistoryInput {
  readonly from: Micros
  readonly to?: Micros | null
  readonly first?: number | null
  readonly after?: string | null
}

/** What the entity that the field stands in knows of itself. */
interface EntityAtTime {
  readonly $key: EntityKey
  readonly $index: number
  readonly $times: NeedTimes
}

export function historyField({ graphqlName }: StoredView): string {
  return `${graphqlName}History`
}

/** The field of an entity that pages through what is stored of one view. */
export function declareHistory(view: StoredView, pageInfo: TypeClass): FieldDeclaration {
  const features = view.features.map((feature): [string, FieldDeclaration] => {
    const notes = { description: describeFeature(feature), deprecationReason: feature.deprecated }
    return [feature.graphqlName, { type: graphqlTypeOf(feature.type), nullable: true, ...notes }]
  })
  const isBatch = view.kind === 'BATCH'
  const stored = objectType(
    `${view.typeName}Stored`,
    isBatch
      ? 'A stored row: of a computed snapshot or pushed over one. A snapshot in which the key had no event any more is a row of empty windows.'
      : 'A stored row.',
    {
      eventTimestamp: { type: timestampScalar },
      createdTimestamp: optional(timestampScalar),
      ...(isBatch && { pushed: { type: GraphQLBoolean, description: 'An override, not computed.' } }),
      ...Object.fromEntries(features),
    },
  )
  return {
    type: connectionType(`${view.typeName}History`, stored, pageInfo),
    arguments: {
      from: { type: timestampScalar },
      to: optional(timestampScalar, 'Without it until the time asked for.'),
      ...pageArguments,
    },
    description:
      'Stored rows with from <= eventTimestamp < to, newest first, every created version, whatever the ttl. With asOf or knownAt what did not exist then is left out. first is at most 1,000.',
  }
}

/**
 * Every page is read as known when the first one was, which the cursor carries, so that what arrives between two pages is on
 * neither; unless the entity has a `knownAt` of its own.
 */
export function historyResolver(
  view: StoredView,
): GraphQLFieldResolver<EntityAtTime, GraphContext, HistoryInput> {
  return async ({ $key, $index, $times }, { from, to = null, ...page }, context) => {
    const first = acceptFirst(page.first)
    const after = page.after == null ? null : readCursor(page.after)
    const times = $times === null ? null : $times($index)
    // What is of the moment asked for exists.
    const end = times === null ? context.now : times.asOf + 1
    const range = {
      ...{ key: $key, from, to: to === null ? end : Math.min(to, times === null ? to : end) },
      ...{ knownAt: times?.knownAt ?? after?.knownAt ?? null, after: after?.place ?? null },
    }
    const { knownAt, rows } = await context.history
      .load({ view, range, first: first + 1 })
      .catch(unreadable(`stored rows of ${view.graphqlName}`))
    const shown = rows.slice(0, first)
    const endCursor = shown.length === 0 ? null : writeCursor(placeOf(shown, range.after), knownAt)
    return {
      nodes: shown.map((row) => nodeOf(view, row)),
      pageInfo: { hasNextPage: rows.length > first, endCursor },
    }
  }
}

function nodeOf(view: StoredView, { eventTimestamp, createdTimestamp, pushed, values }: StoredRow): object {
  const features = view.features.map(({ graphqlName }, index) => [graphqlName, values[index] ?? null])
  return { eventTimestamp, createdTimestamp, pushed, ...Object.fromEntries(features) }
}

/** Of the last row of a page, which is not empty. */
function placeOf(rows: readonly StoredRow[], before: StoredRowPlace | null): StoredRowPlace {
  const last = rows.at(-1)
  if (last === undefined) throw new TypeError('an empty page has no cursor')
  const { eventTimestamp, createdTimestamp, rowId } = last
  const isOfTimes = (one: Pick<StoredRow, 'eventTimestamp' | 'createdTimestamp'>): boolean =>
    one.eventTimestamp === eventTimestamp && one.createdTimestamp === createdTimestamp
  const earlier = before !== null && isOfTimes(before) ? before.repeats : 0
  const repeats = rowId === null ? earlier + rows.filter(isOfTimes).length : 0
  return { eventTimestamp, createdTimestamp, rowId, repeats }
}

const cursorPattern = /^(-?\d{1,16}) (-?\d{1,16}|-) (\d{1,19}|-) (\d{1,9}) (-?\d{1,16})$/

function writeCursor(
  { eventTimestamp, createdTimestamp, rowId, repeats }: StoredRowPlace,
  knownAt: Micros,
): string {
  const parts = [eventTimestamp, createdTimestamp ?? '-', rowId ?? '-', repeats, knownAt]
  return Buffer.from(parts.join(' ')).toString('base64url')
}

/** @throws BadUserInput */
function readCursor(cursor: string): { readonly place: StoredRowPlace; readonly knownAt: Micros } {
  const found = cursorPattern.exec(Buffer.from(cursor, 'base64url').toString())
  const [, event = '', created = '', rowId = '', repeats = '', knownAt = ''] = found ?? []
  const numbers = [event, created === '-' ? '0' : created, knownAt].map(Number)
  if (!found || !numbers.every(isMoment))
    throw new BadUserInput('after: expected the endCursor of a page of the same history')
  const place = {
    eventTimestamp: Number(event),
    createdTimestamp: created === '-' ? null : Number(created),
    rowId: rowId === '-' ? null : rowId,
    repeats: Number(repeats),
  }
  return { place, knownAt: Number(knownAt) }
}

/** Of the years that a timestamp may have, 0001 to 9999. */
function isMoment(micros: number): boolean {
  return Number.isSafeInteger(micros) && micros >= -62_135_596_800_000_000
}
