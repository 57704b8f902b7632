import { isNumeric } from '../../definitions/value-type.ts'
import { BadUserInput } from '../../errors.ts'
import { type ServicePlan, vectorNumber } from '../../online/service-row.ts'
import type { VectorEntry } from '../../registry/registry.ts'
import type { MadeColumn, MadeValues } from '../../stores/training-file.ts'
import type { AnsweredColumn } from './answer-columns.ts'

/** What stands behind the spine's columns, besides the features. */
export interface MadeOptions {
  /** Also the service's vector, with defaults for nulls. */
  readonly vector: boolean
  /** Also a status per feature. */
  readonly statuses: boolean
}

const vectorColumn = 'vector'
const statusColumn = (feature: string): string => `${feature}__status`

/**
 * The columns that a training set adds to its spine: the features, then their statuses, then the vector.
 * @throws BadUserInput for a vector of what is no number, and for two columns of one name.
 */
export function madeColumns(
  { entries }: ServicePlan,
  { vector, statuses }: MadeOptions,
): readonly MadeColumn[] {
  const others = vector ? entries.filter(({ entry }) => !isNumeric(entry.type)) : []
  if (others.length > 0) {
    const shown = others.map(({ entry }) => `${entry.name} (${entry.type})`).join(', ')
    throw new BadUserInput(
      `a vector holds int, float and bool values, and would hold ${shown}; leave --vector or these features out`,
    )
  }
  const features = entries.filter(({ entry }) => entry.kind !== 'request')
  const columns = [
    ...features.map(({ entry }) => ({ kind: 'VALUES' as const, name: entry.name, type: entry.type })),
    ...(statuses
      ? features.map(({ entry }) => ({ kind: 'STATUSES' as const, name: statusColumn(entry.name) }))
      : []),
    ...(vector ? [{ kind: 'VECTORS' as const, name: vectorColumn, width: entries.length }] : []),
  ]
  const names = columns.map(({ name }) => name)
  const twice = names.filter((name, index) => names.indexOf(name) !== index)
  if (twice.length > 0)
    throw new BadUserInput(
      `two columns would be called ${twice.join(', ')}; --full-names calls features <view>__<feature>`,
    )
  return columns
}

/** What was answered as the columns of `madeColumns`. */
export function madeValues(
  { entries }: ServicePlan,
  { vector, statuses }: MadeOptions,
  answered: readonly AnsweredColumn[],
): readonly MadeValues[] {
  const features = answered.filter((_, place) => entries[place]?.entry.kind !== 'request')
  return [
    ...features.map(({ values }) => values),
    ...(statuses ? features.map((column) => column.statuses) : []),
    ...(vector ? [entries.map(({ entry }, place) => vectorPlace(entry, answered[place]))] : []),
  ]
}

function vectorPlace(entry: VectorEntry, answered: AnsweredColumn | undefined): Float64Array {
  const numbers = new Float64Array(answered?.values.length ?? 0)
  for (let row = 0; row < numbers.length; row += 1)
    numbers[row] = vectorNumber(entry, answered?.values.at(row) ?? null)
  return numbers
}
