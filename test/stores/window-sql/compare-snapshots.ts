import { DuckDBBlobValue, DuckDBDecimalValue, DuckDBTimestampTZValue } from '@duckdb/node-api'
import { expect } from 'vitest'
import { type Decimal, scaledOf } from '../../../src/definitions/decimal.ts'
import { formatTimestamp } from '../../../src/definitions/timestamp.ts'
import { decimalDigits, isDecimal, type ValueType } from '../../../src/definitions/value-type.ts'
import { toleranceColumn } from '../../../src/stores/window-sql/tile-plan.ts'
import { type ExpectedValue, expectedSnapshots } from './expected-snapshots.ts'
import type { WrittenRow } from './exported-files.ts'
import type { WindowWorld } from './window-world.ts'

/**
 * Fails unless an engine has written the oracle's rows and no other, floats as design 3.5 has them, and their tolerances
 * beside them where the engine writes those.
 */
export function expectSnapshots(
  world: WindowWorld,
  written: readonly WrittenRow[],
  { hasTolerances = true }: { readonly hasTolerances?: boolean } = {},
): void {
  const expected = expectedSnapshots(world)
  const name = (row: { key: string; time: number; closing: boolean }): string =>
    `${row.key} ${formatTimestamp(row.time)}${row.closing ? ' closing' : ''}`
  expect(written.map(name).toSorted()).toEqual(expected.map(name).toSorted())
  const byName = new Map(written.map((row) => [name(row), row.values]))
  const { known } = world
  const { features } = world.view
  for (const row of expected) {
    const values = byName.get(name(row)) ?? {}
    if (known !== undefined) {
      const created = Math.min(row.time + (known.afterMicros ?? Number.POSITIVE_INFINITY), known.now)
      expect(textOf(values['created_timestamp'])).toBe(String(created))
      expect(values).toHaveProperty('row_id', null)
    }
    for (const [index, feature] of features.entries()) {
      const expectedOne = row.values[index] ?? { value: null, tolerance: null }
      const { value, tolerance } = expectedOne
      const found = values[feature.name] ?? null
      const label = `${feature.name} of ${name(row)}`
      expectValue(found, expectedOne, feature.type, label)
      if (tolerance === null || typeof found !== 'number' || typeof value !== 'number') continue
      if (!hasTolerances || features.some((other) => other.name === toleranceColumn(feature.name))) continue
      const stated = Number(values[toleranceColumn(feature.name)])
      expect(Math.abs(stated - tolerance), `tolerance of ${label}`).toBeLessThanOrEqual(tolerance * 1e-3)
    }
  }
}

/** Fails unless a value, in the form that a result's files have, is the oracle's: floats within what design 3.5 allows. */
export function expectValue(
  found: unknown,
  { value, tolerance }: ExpectedValue,
  type: ValueType,
  label: string,
): void {
  if (tolerance === null || typeof found !== 'number' || typeof value !== 'number') {
    const exact = value !== null && isDecimal(type) ? scaled(value, decimalDigits(type)) : value
    expect(textOf(found), label).toBe(textOf(exact))
    return
  }
  // A few roundings of its own, where that of the sum is 0.
  expect(Math.abs(found - value), label).toBeLessThanOrEqual(tolerance + Math.abs(value) * 1e-15)
}

/** A value of ours in that form. */
export function inFileForm(value: unknown, type: ValueType): unknown {
  return value !== null && isDecimal(type) ? scaledOf(value as Decimal, decimalDigits(type)) : value
}

function scaled(value: NonNullable<ExpectedValue['value']>, digits: number): string {
  return String(scaledOf(value as Decimal, digits))
}

/** As the rows of files have them: decimals as their scaled integers. */
function textOf(value: unknown): string {
  if (value instanceof DuckDBBlobValue) return Buffer.from(value.bytes).toString('hex')
  if (value instanceof Uint8Array) return Buffer.from(value).toString('hex')
  if (value instanceof DuckDBTimestampTZValue) return String(value.micros)
  if (value instanceof DuckDBDecimalValue) return String(value.value)
  return String(value)
}
