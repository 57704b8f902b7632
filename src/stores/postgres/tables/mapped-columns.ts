import type pg from 'pg'
import { decimalDigits, isDecimal, type ValueType } from '../../../definitions/value-type.ts'
import type { Problem } from '../../../errors.ts'
import { mappableTypes } from '../sql/column-type.ts'

/** A column of the user's that a definition names. */
export interface MappedColumn {
  readonly column: string
  readonly meaning: string
  /** Null: any. */
  readonly types: readonly string[] | null
  /** That a decimal has behind the point; null: the type is none. */
  readonly digits: number | null
}

export function mappedColumn(column: string, meaning: string, type: ValueType): MappedColumn {
  const digits = isDecimal(type) ? decimalDigits(type) : null
  return { column, meaning, types: mappableTypes(type), digits }
}

/** What a column of a table, view or query holds, whatever domains stand around it. */
export interface ColumnKind {
  /** Without length or precision; an enum counts as text, since it is read as such. */
  readonly type: string
  /** For a message. */
  readonly shown: string
  readonly isComposite: boolean
  /** Behind the point, where a numeric column says so. */
  readonly digits: number | null
}

/** Postgres reports a column of a domain by the domain's base type; of a list of them it reports the list. */
const kindsSql = `with recursive asked as (
  select f.place, t.typcategory = 'A' as is_list, case when t.typcategory = 'A' then t.typelem else t.oid end as oid
  from unnest($1::oid[]) with ordinality as f(oid, place) join pg_type as t on t.oid = f.oid
), based as (
  select place, is_list, oid from asked
  union all
  select b.place, b.is_list, t.typbasetype from based as b join pg_type as t on t.oid = b.oid where t.typtype = 'd'
)
select b.is_list, t.typtype as kind, format_type(t.oid, null) as type
from based as b join pg_type as t on t.oid = b.oid
where t.typtype <> 'd' order by b.place`

/** In the order of the fields. */
export async function columnKinds(
  client: pg.PoolClient,
  fields: readonly pg.FieldDef[],
): Promise<readonly ColumnKind[]> {
  const { rows } = await client.query<{ is_list: boolean; kind: string; type: string }>(kindsSql, [
    fields.map((field) => field.dataTypeID),
  ])
  return rows.map(({ is_list, kind, type }, index) => {
    const list = is_list ? '[]' : ''
    return {
      type: `${kind === 'e' ? 'text' : type}${list}`,
      shown: `${type}${list}`,
      isComposite: kind === 'c',
      digits: type === 'numeric' ? declaredDigits(fields[index]?.dataTypeModifier ?? -1) : null,
    }
  })
}

/** Of a type modifier of numeric: precision and scale in 16 bits each, behind a header of 4. */
function declaredDigits(modifier: number): number | null {
  return modifier < 4 ? null : (modifier - 4) & 0x7ff
}

/** A mapped column that cannot become what the definition says; none where it can. */
export function columnProblems(
  path: string,
  { column, meaning, types, digits }: MappedColumn,
  kinds: ReadonlyMap<string, ColumnKind>,
): readonly Problem[] {
  const kind = kinds.get(column)
  if (kind === undefined) {
    const message = `${meaning} is mapped to column "${column}", which is not there; it has ${[...kinds.keys()].join(', ')}`
    return [{ path, message }]
  }
  if (kind.isComposite) {
    const message = `${meaning} is mapped to column "${column}" of the composite type ${kind.shown}, which is not supported; map a query that selects one of its fields, as ("${column}").field`
    return [{ path, message }]
  }
  if (types !== null && !types.includes(kind.type))
    return [
      { path, message: `${meaning} needs one of ${types.join(', ')}; column "${column}" has ${kind.shown}` },
    ]
  if (digits !== null && (kind.digits ?? 0) > digits) {
    const message = `${meaning} has ${digits} digits behind the point, column "${column}" has ${kind.digits}; declare more digits, or map a query that rounds the column`
    return [{ path, message }]
  }
  return []
}
