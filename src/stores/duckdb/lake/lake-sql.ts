import {
  BIGINT,
  type DuckDBConnection,
  type DuckDBType,
  type DuckDBValue,
  LIST,
  listValue,
  VARCHAR,
} from '@duckdb/node-api'
import type { JoinKeyType } from '../../../definitions/value-type.ts'
import type { ParquetOfflineView } from '../../offline-view.ts'

/** A statement of DuckDB; its parameters stand in it as `$1`, `$2`, … */
export interface LakeSql {
  readonly text: string
  readonly values: DuckDBValue[]
  readonly types: DuckDBType[]
}

export async function rowsOf(
  connection: DuckDBConnection,
  { text, values, types }: LakeSql,
): Promise<readonly (readonly DuckDBValue[])[]> {
  const reader = await connection.runAndReadAll(text, values, types)
  return reader.getRows()
}

/** As DuckDB takes the values of a join key of many rows. */
export function keyList(type: JoinKeyType, values: readonly unknown[]): [DuckDBValue, DuckDBType] {
  if (type === 'string' || type === 'uuid') return [listValue(values.map(String)), LIST(VARCHAR)]
  return integerList(values.map((value) => BigInt(value as number | string)))
}

export function integerList(values: readonly (bigint | null)[]): [DuckDBValue, DuckDBType] {
  return [listValue(values), LIST(BIGINT)]
}

/** A row's join key `kN` as it is compared: UUIDs in any case. */
export function comparedKey(view: ParquetOfflineView, index: number, row: string): string {
  const column = `${row}.k${index}`
  return view.entity.joinKeys[index]?.type === 'uuid' ? `lower(${column})` : column
}
