import type pg from 'pg'
import { z } from 'zod'
import { concernsEntity } from '../../../definitions/concerns-entity.ts'
import type { Micros } from '../../../definitions/timestamp.ts'
import type { Value } from '../../../definitions/value.ts'
import { joinKeyType, type ValueType } from '../../../definitions/value-type.ts'
import type { EventKeys } from '../../stored-event-source.ts'
import { microsOf } from '../sql/column-type.ts'
import { deletionDigest, deletionText } from './deletion-digest.ts'

type Queryable = Pick<pg.Pool, 'query'> | Pick<pg.ClientBase, 'query'>
type Fields = readonly { readonly name: string; readonly type: ValueType }[]

/** Entities of one kind, of which some were deleted. */
export interface DeletedKind {
  readonly joinKeys: EventKeys
  readonly secret: Buffer
}

interface DatedRow {
  /** In the order of the fields that the check was made for. */
  readonly key: readonly (Value | null)[]
  readonly eventTimestamp: Micros
}

/** One flag a row, in order: an entity that it concerns was deleted at its event timestamp or later. One statement. */
export type DeletionCheck = (rows: readonly DatedRow[]) => Promise<readonly boolean[]>

const selectKinds = `select distinct k.join_keys, s.secret
from featuregraph.deleted_kinds as k join featuregraph.deletion_secrets as s on s.project = k.project
where k.project = $1`

const selectDeleted = `select encode(digest, 'hex') as digest, max(${microsOf('deleted_at')}) as deleted_at
from featuregraph.deletions
where project = $1 and digest in (select decode(hex, 'hex') from unnest($2::text[]) as d(hex))
group by digest`

const storedKeys = z.array(z.object({ name: z.string(), type: joinKeyType }))

/** The kinds of deleted entities that rows with these fields may concern; nearly always none. */
export async function deletedKinds(
  client: Queryable,
  project: string,
  fields: Fields,
): Promise<readonly DeletedKind[]> {
  const { rows } = await client.query<{ join_keys: unknown; secret: Buffer }>(selectKinds, [project])
  return rows
    .map(({ join_keys, secret }) => ({ joinKeys: storedKeys.parse(join_keys), secret }))
    .filter(({ joinKeys }) => concernsEntity(fields, joinKeys))
}

/**
 * Finds the rows that a writer must refuse; null where no deletion concerns such rows, for as long as the writer's
 * transaction lasts. To be called, on any connection, only once that transaction has an id (`pg_current_xact_id()`):
 * then it either sees a deletion, or the deletion waits for it and removes what it wrote.
 */
export async function deletionCheck(
  client: Queryable,
  project: string,
  fields: Fields,
): Promise<DeletionCheck | null> {
  const kinds = await deletedKinds(client, project, fields)
  if (kinds.length === 0) return null
  const placed = kinds.map((kind) => ({
    ...kind,
    places: kind.joinKeys.map(({ name }) => fields.findIndex((field) => field.name === name)),
  }))
  return async (rows) => {
    const digests = rows.map(({ key }) =>
      placed.flatMap(({ joinKeys, secret, places }) => {
        const text = deletionText(
          joinKeys,
          places.map((place) => key[place] ?? null),
        )
        return text === null ? [] : [deletionDigest(secret, text)]
      }),
    )
    const found = await client.query<{ digest: string; deleted_at: string }>(selectDeleted, [
      project,
      [...new Set(digests.flat())],
    ])
    const deletedAt = new Map(found.rows.map((row) => [row.digest, Number(row.deleted_at)]))
    return rows.map(({ eventTimestamp }, index) =>
      (digests[index] ?? []).some(
        (digest) => eventTimestamp <= (deletedAt.get(digest) ?? Number.NEGATIVE_INFINITY),
      ),
    )
  }
}

/** One flag a row, in order, as of now; by the rules of `deletionCheck`. */
export async function deletedFlags(
  client: Queryable,
  project: string,
  fields: Fields,
  rows: readonly DatedRow[],
): Promise<readonly boolean[]> {
  const check = rows.length === 0 ? null : await deletionCheck(client, project, fields)
  return check === null ? rows.map(() => false) : await check(rows)
}

/**
 * Conditions that no entity of the kinds was deleted at the event or later, for a statement that reads events itself; one
 * index probe an event and kind. `column` is a field in its own type, `value` makes a parameter.
 */
export function notDeletedSql(
  project: string,
  kinds: readonly DeletedKind[],
  {
    event,
    column,
    value,
  }: {
    readonly event: string
    readonly column: (field: string) => string
    readonly value: (parameter: unknown) => string
  },
): readonly string[] {
  return kinds.map(({ joinKeys }) => {
    const ofProject = `project = ${value(project)}::text`
    const parts = joinKeys.map(({ name }) => {
      const text = `${column(name)}::text`
      return `'${name}:' || octet_length(convert_to(${text}, 'UTF8')) || ':' || ${text} || ','`
    })
    return [
      `${event} > coalesce((`,
      `      select max(d.deleted_at) from featuregraph.deletions as d where d.${ofProject} and d.digest = sha256(`,
      `        (select s.secret from featuregraph.deletion_secrets as s where s.${ofProject})`,
      `        || convert_to(${parts.join(' || ')}, 'UTF8'))`,
      "    ), '-infinity')",
    ].join('\n')
  })
}
