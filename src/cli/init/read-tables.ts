import { type ValueType, valueTypes } from '../../definitions/value-type.ts'
import { BadUserInput, messageOf } from '../../errors.ts'
import type { FoundColumn, FoundTable } from '../../init/found-table.ts'
import { mappableTypes, sqlType } from '../../stores/postgres/sql/column-type.ts'
import { createPool } from '../../stores/postgres/sql/pool.ts'

const statementTimeoutMs = 30_000

interface ColumnRow {
  readonly table: string
  readonly comment: string | null
  readonly column: string
  readonly type: string
  readonly description: string | null
}

const columnsOf = `
  select c.relname as table, obj_description(c.oid, 'pg_class') as comment, a.attname as column,
    format_type(a.atttypid, null) as type, col_description(c.oid, a.attnum) as description
  from pg_class c join pg_namespace n on n.oid = c.relnamespace join pg_attribute a on a.attrelid = c.oid
  where n.nspname = $1 and c.relkind in ('r', 'p', 'v', 'm', 'f') and not c.relispartition
    and a.attnum > 0 and not a.attisdropped and has_table_privilege(c.oid, 'select')
  order by c.relname, a.attnum`

/** Partial indexes and those over expressions say nothing about all rows. */
const keysOf = `
  select c.relname as table, array_agg(a.attname::text order by k.place) as columns
  from pg_index i join pg_class c on c.oid = i.indrelid join pg_namespace n on n.oid = c.relnamespace
    cross join unnest(i.indkey) with ordinality as k(attnum, place)
    join pg_attribute a on a.attrelid = c.oid and a.attnum = k.attnum
  where n.nspname = $1 and i.indisunique and i.indpred is null and i.indexprs is null and k.place <= i.indnkeyatts
  group by c.relname, i.indexrelid, i.indisprimary order by i.indisprimary desc, i.indexrelid`

/**
 * Tables and views of a schema that the role may read, by name.
 * @throws BadUserInput where the database cannot be read, or there are none.
 */
export async function readTables(url: string, schema: string): Promise<readonly FoundTable[]> {
  if (!/^postgres(?:ql)?:\/\//.test(url) || !URL.canParse(url))
    throw new BadUserInput('--from-postgres: expected a URL that starts with postgres://')
  const pool = createPool({
    ...{ url, applicationName: 'featuregraph init', statementTimeoutMs, maxConnections: 1 },
    onConnectionError: () => {},
  })
  try {
    const { rows } = await pool.query<ColumnRow>(columnsOf, [schema])
    const keys = await pool.query<{ table: string; columns: string[] }>(keysOf, [schema])
    if (rows.length === 0)
      throw new BadUserInput(
        `schema "${schema}" has no table or view that this role may read; name another by --schema`,
      )
    const names = [...new Set(rows.map(({ table }) => table))]
    return names.map((name): FoundTable => {
      const own = rows.filter(({ table }) => table === name)
      return {
        name,
        origin: { kind: 'TABLE', table: `${schema}.${name}` },
        description: own[0]?.comment ?? null,
        columns: own.map(foundColumn),
        uniqueKeys: keys.rows.filter(({ table }) => table === name).map(({ columns }) => columns),
      }
    })
  } catch (error) {
    if (error instanceof BadUserInput) throw error
    throw new BadUserInput(`--from-postgres: the database cannot be read: ${messageOf(error)}`, {
      cause: error,
    })
  } finally {
    await pool.end()
  }
}

function foundColumn({ column, type, description }: ColumnRow): FoundColumn {
  const found = typeOf(type)
  return {
    name: column,
    type: found,
    storedType: type,
    description,
    isLocalTime: type === 'timestamp without time zone',
    repeats: null,
  }
}

/** float64 before float32, which holds less than what else may be mapped to it. */
const byPreference = valueTypes.toSorted(
  (left, right) => Number(left.startsWith('float32')) - Number(right.startsWith('float32')),
)

/** The type whose own column this is, else the first that such a column may be mapped to. */
function typeOf(stored: string): ValueType | null {
  return (
    valueTypes.find((type) => sqlType(type) === stored) ??
    byPreference.find((type) => mappableTypes(type).includes(stored)) ??
    null
  )
}
