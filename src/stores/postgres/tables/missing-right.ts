import type pg from 'pg'
import { errorCode, messageOf, StoreUnsuitable } from '../../../errors.ts'
import { quoteIdentifier } from '../sql/identifier.ts'

/** Who works where, for messages: it cannot be asked any more after a statement has failed. */
export interface Session {
  readonly role: string
  readonly database: string
}

/** One statement. */
export async function readSession(client: pg.PoolClient): Promise<Session> {
  const { rows } = await client.query<Session>('select current_user as role, current_database() as database')
  return rows[0] ?? { role: '', database: '' }
}

export function isMissingRight(error: unknown): boolean {
  return errorCode(error) === '42501'
}

/**
 * Of a statement that failed: what the role lacks, and what to run. `schema`: whose tables the statement is about;
 * `owner`: the command that does the same once with a role that may. Other errors are thrown as they came.
 */
export function missingRight(
  { role, database }: Session,
  { schema, owner }: { readonly schema: string; readonly owner: string },
): (error: unknown) => never {
  return (error) => {
    if (!isMissingRight(error)) throw error
    const reason = messageOf(error)
    const grant = grantFor(reason, schema, database)
    const ways = [
      `run \`${owner}\` once with a role that may, as the owner of the tables`,
      ...(grant === null ? [] : [`grant it: ${grant} to ${quoteIdentifier(role)}`]),
    ]
    throw new StoreUnsuitable(
      'rights',
      true,
      `Postgres cannot be used: the role "${role}" lacks a right in schema "${schema}" (${reason}); ${ways.join(', or ')}`,
      { cause: error },
    )
  }
}

/** By what Postgres says was denied; null for what only the owner may. */
function grantFor(reason: string, schema: string, database: string): string | null {
  const quoted = quoteIdentifier(schema)
  if (/for database/.test(reason)) return `grant create on database ${quoteIdentifier(database)}`
  if (/for schema/.test(reason)) return `grant usage, create on schema ${quoted}`
  if (/for table/.test(reason))
    return `grant select, insert, update, delete on all tables in schema ${quoted}`
  return null
}
