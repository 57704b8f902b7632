import { fieldName } from '../definitions/graphql-name.ts'
import {
  javascriptNames,
  reservedColumns,
  reservedEventColumns,
  reservedFeatureFields,
  reservedKeyFields,
} from '../registry/reserved-names.ts'

/** A name that no feature and no field may have, as they are or in the schema. */
export function isReservedName(name: string): boolean {
  const field = fieldName(name)
  return (
    [javascriptNames, reservedColumns, reservedEventColumns].some((names) => names.has(name)) ||
    [javascriptNames, reservedFeatureFields, reservedKeyFields].some((names) => names.has(field))
  )
}
