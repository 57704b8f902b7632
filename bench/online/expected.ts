import { isDeepStrictEqual } from 'node:util'
import { type BenchView, eventTimestamp, views, wideService, wideView } from './world.ts'

/**
 * What is asked for: 8 features of 2 views, the same with their freshness, the same by a text that was never sent before,
 * or the vectors of 100 features by column.
 */
export type Operation = 'features' | 'freshness' | 'unknown' | 'vectors'

const freshness = ' freshness { status eventTimestamp }'

/** Without ageSeconds, which moves: an answer's bytes stay the same. */
function customersField(ids: string, operation: Operation): string {
  const selections = views.map(
    ({ field, features }) =>
      `${field} { ${features.join(' ')}${operation === 'freshness' ? freshness : ''} }`,
  )
  return `customers(customerIds: ${ids}) { customerId ${selections.join(' ')} }`
}

/** Stands in a request whose text is to be new each time. */
export const textNumber = '#000000000000'

/** The body of a GraphQL request. */
export function bodyOf(operation: Operation, ids: readonly number[]): unknown {
  switch (operation) {
    case 'features':
    case 'freshness':
      return {
        query: `query Features($ids: [Int64!]!) { ${customersField('$ids', operation)} }`,
        variables: { ids },
      }
    case 'unknown':
      // As of a caller who writes values into its texts.
      return { query: `${textNumber}\nquery Features { ${customersField(`[${ids.join()}]`, operation)} }` }
    case 'vectors':
      return {
        query: `query Vectors($keys: [${wideService.key}!]!) { ${wideService.field}(keys: $keys) { names vectors } }`,
        variables: { keys: ids.map((customerId) => ({ customerId })) },
      }
  }
}

/** The whole answer to a body, by the world's rules. */
export function expectedAnswer(operation: Operation, ids: readonly number[], base: number): unknown {
  if (operation === 'vectors') return { data: { [wideService.field]: expectedColumns(ids) } }
  return {
    data: {
      customers: ids.map((id) => ({
        customerId: id,
        ...Object.fromEntries(views.map((view) => [view.field, expectedView(view, operation, id, base)])),
      })),
    },
  }
}

/** Null and no row are 0, the default of a number. */
function expectedColumns(ids: readonly number[]): unknown {
  return {
    names: wideView.features.map((_, index) => `wide_${index}`),
    vectors: ids.map((id) => {
      const values = wideView.values(id) ?? wideView.emptyValues
      return values.map((value) => value ?? 0)
    }),
  }
}

function expectedView(view: BenchView, operation: Operation, id: number, base: number): unknown {
  const values = view.values(id)
  const features = view.features.map(
    (name, index) => [name, (values ?? view.emptyValues)[index] ?? null] as const,
  )
  if (operation !== 'freshness') return Object.fromEntries(features)
  return {
    ...Object.fromEntries(features),
    freshness: {
      status: values === null ? 'NOT_FOUND' : 'PRESENT',
      eventTimestamp: values === null ? null : rfc3339(eventTimestamp(id, base)),
    },
  }
}

/** By Date, not by the gateway's own code. */
function rfc3339(micros: number): string {
  const text = new Date(Math.floor(micros / 1_000)).toISOString()
  return `${text.slice(0, -1)}${String(micros % 1_000).padStart(3, '0')}Z`
}

/** Null when the answer is right, else where it first differs. */
export function difference(came: unknown, expected: unknown, path = 'answer'): string | null {
  if (isDeepStrictEqual(came, expected)) return null
  if (isObject(came) && isObject(expected)) {
    for (const key of new Set([...Object.keys(expected), ...Object.keys(came)])) {
      const inner = difference(came[key], expected[key], `${path}.${key}`)
      if (inner !== null) return inner
    }
  }
  return `${path}: expected ${shown(expected)}, got ${shown(came)}`
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null
}

function shown(value: unknown): string {
  return (JSON.stringify(value) ?? 'nothing').slice(0, 200)
}
