import { createWriteStream } from 'node:fs'
import { rm } from 'node:fs/promises'
import { pipeline } from 'node:stream/promises'
import pg from 'pg'
import { to as copyTo } from 'pg-copy-streams'
import { BadUserInput } from '../../../errors.ts'
import type { SpineQuery } from '../../spine-query.ts'
import { storeFailed } from '../sql/pool.ts'
import { type SpineColumn, spineColumn } from './spine-column.ts'

/** What makes a Parquet file of a CSV file without a header, all of whose columns are text; `column` names the n-th. */
export type CsvToParquet = (
  csv: string,
  columns: readonly { readonly name: string; readonly read: (column: string) => string }[],
  target: string,
) => Promise<void>

const before = 'select * from ('
/** With the comments behind it. */
const semicolonAtEnd = /;(?:\s|--[^\n]*(?:\n|$)|\/\*[\s\S]*?\*\/)*$/

/**
 * The statement stands in parentheses and is first sent by the protocol that takes a single one, with `limit 0`: what passes is
 * one query whose parentheses and quotes close, so that the same text can stand in COPY, which has no such protocol.
 */
export function postgresSpineQuery(pool: pg.Pool, csvToParquet: CsvToParquet): SpineQuery {
  return {
    async toParquet(statement, target) {
      const text = statement.replace(semicolonAtEnd, '').trim()
      if (text === '') throw new BadUserInput('--spine-sql expects a select; nothing came')
      const client = await pool.connect().catch(storeFailed('reading the spine'))
      const csv = `${target}.csv`
      let columns: readonly SpineColumn[]
      try {
        await client
          .query('begin isolation level repeatable read read only')
          .catch(storeFailed('reading the spine'))
        await client.query('set local statement_timeout = 0')
        columns = await columnsOf(client, text)
        const list = columns.map(({ sent }) => sent).join(', ')
        const rows = client.query(
          copyTo(`copy (select ${list} from (${text}\n) as q) to stdout (format csv)`),
        )
        await pipeline(rows, createWriteStream(csv)).catch(refuse(null))
        await csvToParquet(csv, columns, target)
      } finally {
        // Nothing of the session is worth keeping; an unfinished COPY ends with it.
        client.release(true)
        await rm(csv, { force: true })
      }
    },
  }
}

async function columnsOf(client: pg.PoolClient, text: string): Promise<readonly SpineColumn[]> {
  const query = { text: `${before}${text}\n) as q limit 0`, queryMode: 'extended' }
  const { fields } = await client.query(query).catch(refuse(text))
  const names = fields.map(({ name }) => name)
  const twice = names.filter((name, index) => names.indexOf(name) !== index || name === '?column?')
  if (twice.length > 0 || names.length === 0)
    throw new BadUserInput(
      `--spine-sql: every column needs a name of its own, by "as"; ${names.length === 0 ? 'there is none' : `got ${names.join(', ')}`}`,
    )
  return fields.map(spineColumn)
}

/** Postgres' own words and the place in the statement; `text` null: it is not known. */
function refuse(text: string | null): (error: unknown) => never {
  return (error) => {
    if (!(error instanceof pg.DatabaseError)) return storeFailed('reading the spine')(error)
    const position = Number(error.position ?? 0) - before.length
    const isSelect = /^\s*(?:\(|select\b|with\b|values\b|table\b|--|\/\*)/i.test(text ?? 'select')
    if (!isSelect || /multiple commands|data-modifying|at or near ";"/.test(error.message))
      throw new BadUserInput('--spine-sql expects one select, without a second statement; it runs read-only')
    const place = text !== null && position > 0 ? placeIn(text, position) : ''
    const hint = error.hint === undefined ? '' : ` (${error.hint})`
    throw new BadUserInput(`--spine-sql: Postgres refuses the statement${place}: ${error.message}${hint}`)
  }
}

function placeIn(text: string, position: number): string {
  const lines = [...text]
    .slice(0, position - 1)
    .join('')
    .split('\n')
  if (position > text.length) return ' at its end'
  return ` at line ${lines.length}, character ${(lines.at(-1)?.length ?? 0) + 1}`
}
