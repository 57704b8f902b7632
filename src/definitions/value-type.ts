import { z } from 'zod'

const listableTypes = [
  'int32',
  'int64',
  'float32',
  'float64',
  'string',
  'bool',
  'timestamp',
  'bytes',
] as const
type ListableType = (typeof listableTypes)[number]

/** By how many digits stand behind the point. */
const decimalTypes = [
  'decimal(0)',
  'decimal(1)',
  'decimal(2)',
  'decimal(3)',
  'decimal(4)',
  'decimal(5)',
  'decimal(6)',
  'decimal(7)',
  'decimal(8)',
  'decimal(9)',
] as const
export type DecimalType = (typeof decimalTypes)[number]

/** Types with a rule of their own each; a decimal's rules follow from its digits. */
export type PlainType = ListableType | 'uuid'
export type ScalarType = PlainType | DecimalType
/** A scalar, or a list of one, as `float64[]`. */
export type ValueType = ScalarType | `${ListableType}[]`

const scalarNames = [...listableTypes, 'uuid', ...decimalTypes] as const
const listNames = listableTypes.map((type) => `${type}[]` as const)
export const valueTypes: readonly ValueType[] = [...scalarNames, ...listNames]
const shownScalars = [...listableTypes, 'uuid', 'decimal(n) with n from 0 to 9'].join(', ')

/** What a message says of the types there are. */
export const shownTypes = { scalar: shownScalars, value: `${shownScalars}, ${listNames.join(', ')}` } as const

export const scalarType = z.enum(scalarNames, { error: `a type is one of ${shownTypes.scalar}` })

export const valueType = z.enum(valueTypes, {
  error: `a type is one of ${shownTypes.value}`,
})

const joinKeyTypes = ['int32', 'int64', 'string', 'uuid'] as const
export type JoinKeyType = (typeof joinKeyTypes)[number]
export const joinKeyType = z.enum(joinKeyTypes, {
  error: `a join key's type is one of ${joinKeyTypes.join(', ')}`,
})

const elementTypes: ReadonlyMap<string, ListableType> = new Map(
  listableTypes.map((scalar) => [`${scalar}[]`, scalar]),
)

/** The element type of a list, else null. Asked for every value of every row. */
export function elementType(type: ValueType): ListableType | null {
  return elementTypes.get(type) ?? null
}

/** Types whose values have one small size each. */
export function isFixedSize(type: ValueType): boolean {
  return elementType(type) === null && type !== 'string' && type !== 'bytes'
}

const digitsByType: ReadonlyMap<string, number> = new Map(decimalTypes.map((type, digits) => [type, digits]))

export function isDecimal(type: ValueType): type is DecimalType {
  return digitsByType.has(type)
}

/** How many digits stand behind the point. */
export function decimalDigits(type: DecimalType): number {
  return digitsByType.get(type) ?? 0
}

const numericTypes: ReadonlySet<string> = new Set([
  'bool',
  'int32',
  'int64',
  'float32',
  'float64',
  ...decimalTypes,
])

/** Values of the first stand in the second without a loss. */
export const widenings: ReadonlyMap<ValueType, ValueType> = new Map([
  ['int32', 'int64'],
  ['float32', 'float64'],
])

/** Types that have a place in a model's vector: a bool counts as 0 or 1. */
export function isNumeric(type: ValueType): boolean {
  return numericTypes.has(type)
}
