import { fieldName } from '../definitions/graphql-name.ts'
import type { ServiceParsed } from './parse-definitions.ts'
import type { RequestValue } from './registry.ts'

type Parsed = Extract<ServiceParsed['features'][number], { kind: 'request' }>

export function requestValue(item: Parsed): RequestValue {
  return {
    kind: 'request',
    name: item.name,
    graphqlName: item.graphqlName ?? fieldName(item.name),
    type: item.type,
    description: item.description ?? null,
    default: item.default ?? 0,
    optional: item.default !== undefined,
  }
}
