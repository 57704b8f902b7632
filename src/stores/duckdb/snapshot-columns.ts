import type { ValueType } from '../../definitions/value-type.ts'
import type { SnapshotColumns } from '../snapshot-files.ts'
import type { Wanted } from './wanted-columns.ts'

export const eventTimestampColumn = 'event_timestamp'

/** In the order of `SnapshotBatch`. */
export function snapshotColumns({ joinKeys, features }: SnapshotColumns): readonly Wanted[] {
  const needed = (name: string, type: ValueType): Wanted => ({ name, type, isOptional: false })
  return [
    ...joinKeys.map(({ name, type }) => needed(name, type)),
    needed(eventTimestampColumn, 'timestamp'),
    ...features.map(({ name, type }) => needed(name, type)),
    { name: 'closing', type: 'bool', isOptional: true },
    ...features.map(
      ({ name }): Wanted => ({ name: `${name}__tolerance`, type: 'float64', isOptional: true }),
    ),
  ]
}
