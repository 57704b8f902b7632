import { z } from 'zod'

export const scalarTypes = [
  'int32',
  'int64',
  'float32',
  'float64',
  'string',
  'bool',
  'timestamp',
  'bytes',
] as const
export type ScalarType = (typeof scalarTypes)[number]
/** A scalar, or a list of one, as `float64[]`. */
export type ValueType = ScalarType | `${ScalarType}[]`

export const scalarType = z.enum(scalarTypes, { error: `a type is one of ${scalarTypes.join(', ')}` })

const names = [...scalarTypes, ...scalarTypes.map((type) => `${type}[]` as const)] as const

export const valueType = z.enum(names, { error: `a type is one of ${names.join(', ')}` })

const joinKeyTypes = ['int32', 'int64', 'string'] as const
export type JoinKeyType = (typeof joinKeyTypes)[number]
export const joinKeyType = z.enum(joinKeyTypes, {
  error: `a join key's type is one of ${joinKeyTypes.join(', ')}`,
})

const elementTypes: ReadonlyMap<string, ScalarType> = new Map(
  scalarTypes.map((scalar) => [`${scalar}[]`, scalar]),
)

/** The element type of a list, else null. Asked for every value of every row. */
export function elementType(type: ValueType): ScalarType | null {
  return elementTypes.get(type) ?? null
}

/** Types that have a place in a model's vector: a bool counts as 0 or 1. */
export function isNumeric(type: ValueType): boolean {
  return type === 'bool' || type === 'int32' || type === 'int64' || type === 'float32' || type === 'float64'
}
