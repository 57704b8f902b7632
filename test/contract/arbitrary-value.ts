import fc from 'fast-check'
import { decimalOf } from '../../src/definitions/decimal.ts'
import type { ScalarValue, Value } from '../../src/definitions/value.ts'
import {
  decimalDigits,
  elementType,
  isDecimal,
  type PlainType,
  type ValueType,
} from '../../src/definitions/value-type.ts'

const bigInt64 = fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }).map((value): number | string => {
  const number = Number(value)
  return Number.isSafeInteger(number) ? number : String(value)
})

/** Strings that meet every quoting rule between here and a store. */
const oddStrings = [
  '',
  ' ',
  'NULL',
  'null',
  '{}',
  '{1,2}',
  '"',
  '\\',
  '\\x00',
  "'",
  '$1',
  ',',
  '\n\t',
  'ä€😀',
  '%',
]

export const arbitraryString: fc.Arbitrary<string> = fc.oneof(
  fc.constantFrom(...oddStrings),
  fc.string({ unit: 'binary', maxLength: 12 }).map((text) => text.replaceAll('\0', '0')),
)

// Minus zero is left out: Postgres' driver sends it as 0, and JSON writes both alike.
const double = fc
  .double({ noNaN: true, noDefaultInfinity: true })
  .map((value) => (Object.is(value, -0) ? 0 : value))
const float = fc
  .float({ noNaN: true, noDefaultInfinity: true })
  .map((value) => (Object.is(value, -0) ? 0 : value))

const scalars: Readonly<Record<PlainType, fc.Arbitrary<ScalarValue>>> = {
  int32: fc.oneof(fc.constantFrom(-(2 ** 31), 2 ** 31 - 1, 0), fc.integer()),
  int64: fc.oneof(
    fc.constantFrom<number | string>(
      0,
      -1,
      Number.MAX_SAFE_INTEGER,
      Number.MIN_SAFE_INTEGER,
      '9007199254740992',
      '9007199254740993',
      '-9007199254740992',
      '9223372036854775807',
      '-9223372036854775808',
    ),
    bigInt64,
  ),
  float32: float,
  float64: double,
  string: arbitraryString,
  bool: fc.boolean(),
  // 1684 to 2255, to the microsecond.
  timestamp: fc.oneof(fc.constantFrom(0, -1, 1_795_597_200_123_456), fc.maxSafeInteger()),
  bytes: fc.uint8Array({ maxLength: 12 }).map((bytes) => Buffer.from(bytes)),
  uuid: fc.uuid({ version: [1, 4, 7] }),
}

/** Every scaled int64, the bounds and those around 15 digits oftener. */
export function arbitraryDecimal(digits: number): fc.Arbitrary<ScalarValue> {
  const edges = [0n, 1n, -1n, 10n ** 15n - 1n, 10n ** 15n, -(10n ** 15n), 2n ** 63n - 1n, -(2n ** 63n)]
  const scaled = fc.oneof(
    fc.constantFrom(...edges),
    fc.bigInt({ min: -(10n ** 6n), max: 10n ** 6n }),
    fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
  )
  return scaled.map((units) => decimalOf(units, digits))
}

/** A value of this type in the form of `acceptValue`. */
export function arbitraryValue(type: ValueType): fc.Arbitrary<Value> {
  const element = elementType(type)
  if (element !== null) return fc.array(scalars[element], { maxLength: 4 })
  return isDecimal(type) ? arbitraryDecimal(decimalDigits(type)) : scalars[type as PlainType]
}
