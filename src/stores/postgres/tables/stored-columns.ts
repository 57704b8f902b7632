import type pg from 'pg'

/** A column of a table as Postgres has it. */
export interface StoredColumn {
  readonly name: string
  /** As `format_type` prints it. */
  readonly type: string
  readonly notNull: boolean
  /** A row can be written without naming the column: it has a default, is generated or an identity. */
  readonly hasDefault: boolean
}

/** In the table's order; none where the table does not exist. */
export async function storedColumns(client: pg.PoolClient, table: string): Promise<StoredColumn[]> {
  const result = await client.query<StoredColumn>(
    `select attname as name, format_type(atttypid, atttypmod) as type, attnotnull as "notNull",
       atthasdef or attidentity <> '' as "hasDefault"
     from pg_attribute where attrelid = to_regclass($1) and attnum > 0 and not attisdropped order by attnum`,
    [table],
  )
  return result.rows
}
