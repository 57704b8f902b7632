import type { ValueType } from '../../../definitions/value-type.ts'

const scalars: Readonly<Record<string, string>> = {
  int32: 'Int',
  int64: 'Int64',
  float32: 'Float',
  float64: 'Float',
  string: 'String',
  uuid: 'String',
  bool: 'Boolean',
  timestamp: 'Timestamp',
  bytes: 'Bytes',
}

/**
 * What GraphQL clients see of a type, as `[Int64]`. The schema is built in `graph/`; a test holds that both say of the same
 * changes that they break a client.
 */
export function graphqlShape(type: ValueType): string {
  const element = type.replace(/\[\]$/, '')
  const scalar = scalars[element] ?? 'Float'
  return element === type ? scalar : `[${scalar}]`
}
