import {
  BIGINT,
  BLOB,
  BOOLEAN,
  DECIMAL,
  DOUBLE,
  DuckDBBlobValue,
  DuckDBDecimalValue,
  DuckDBListValue,
  DuckDBTimestampTZValue,
  type DuckDBType,
  type DuckDBValue,
  FLOAT,
  INTEGER,
  LIST,
  TIMESTAMPTZ,
  VARCHAR,
} from '@duckdb/node-api'
import { type Decimal, scaledOf } from '../../definitions/decimal.ts'
import type { Value } from '../../definitions/value.ts'
import { decimalDigits, elementType, type PlainType, type ValueType } from '../../definitions/value-type.ts'

/** Digits of a scaled 64-bit integer. */
const decimalWidth = 18

/** How DuckDB holds the values of a type, and a value as it takes it. */
export interface DuckDbColumn {
  readonly type: DuckDBType
  readonly value: (value: Value | null) => DuckDBValue
}

const plain: Readonly<Record<PlainType, DuckDbColumn>> = {
  int32: { type: INTEGER, value: asIs },
  int64: { type: BIGINT, value: (value) => (value === null ? null : BigInt(value as number | string)) },
  float32: { type: FLOAT, value: asIs },
  float64: { type: DOUBLE, value: asIs },
  string: { type: VARCHAR, value: asIs },
  uuid: { type: VARCHAR, value: asIs },
  bool: { type: BOOLEAN, value: asIs },
  timestamp: {
    type: TIMESTAMPTZ,
    value: (value) => (value === null ? null : new DuckDBTimestampTZValue(BigInt(value as number))),
  },
  bytes: {
    type: BLOB,
    value: (value) => (value === null ? null : new DuckDBBlobValue(value as Uint8Array)),
  },
}

export function duckDbColumn(type: ValueType): DuckDbColumn {
  const element = elementType(type)
  if (element !== null) {
    const item = plain[element]
    return {
      type: LIST(item.type),
      value: (value) =>
        value === null ? null : new DuckDBListValue((value as readonly Value[]).map(item.value)),
    }
  }
  const known = (plain as Readonly<Record<string, DuckDbColumn>>)[type]
  if (known) return known
  const digits = decimalDigits(type as Parameters<typeof decimalDigits>[0])
  return {
    type: DECIMAL(decimalWidth, digits),
    value: (value) =>
      value === null
        ? null
        : new DuckDBDecimalValue(scaledOf(value as Decimal, digits), decimalWidth, digits),
  }
}

function asIs(value: Value | null): DuckDBValue {
  return value as DuckDBValue
}
