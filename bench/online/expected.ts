import { isDeepStrictEqual } from 'node:util'
import { type BenchView, eventTimestamp, views } from './world.ts'

/** What a body asks of each view beside its features. */
export type Operation = 'features' | 'freshness'

const freshness = { features: '', freshness: ' freshness { status eventTimestamp }' }

/** The query's text: 8 features of 2 views. Without ageSeconds, which moves: an answer's bytes stay the same. */
export function queryOf(operation: Operation): string {
  const selections = views.map(
    ({ field, features }) => `${field} { ${features.join(' ')}${freshness[operation]} }`,
  )
  return `query Features($ids: [Int64!]!) { customers(customerIds: $ids) { customerId ${selections.join(' ')} } }`
}

/** The whole answer to a body, by the world's rules. */
export function expectedAnswer(operation: Operation, ids: readonly number[], base: number): unknown {
  return {
    data: {
      customers: ids.map((id) => ({
        customerId: id,
        ...Object.fromEntries(views.map((view) => [view.field, expectedView(view, operation, id, base)])),
      })),
    },
  }
}

function expectedView(view: BenchView, operation: Operation, id: number, base: number): unknown {
  const values = view.values(id)
  const features = view.features.map(
    (name, index) => [name, (values ?? view.emptyValues)[index] ?? null] as const,
  )
  if (operation === 'features') return Object.fromEntries(features)
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
