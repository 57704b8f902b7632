import { views } from './world.ts'

/** What Feast's server is asked, and what it answers, in the terms of the bench. */
export const feastPath = '/get-online-features'

/** Feast's names are those of the definitions: `totalTransactions30d` is `total_transactions_30d`. */
export function feastName(feature: string): string {
  return feature.replaceAll(/(?<=[a-z])(?=[A-Z0-9])/g, '_').toLowerCase()
}

const references = views.flatMap(({ name, features }) =>
  features.map((feature) => `${name}:${feastName(feature)}`),
)

export function feastBody(ids: readonly number[]): unknown {
  return { features: references, entities: { customer_id: ids } }
}

/** By feature, in the order of the ids. For customers without a row Feast knows nulls only. */
export function feastExpected(ids: readonly number[]): unknown {
  return Object.fromEntries(
    views.flatMap((view) =>
      view.features.map((feature, index) => [
        feastName(feature),
        ids.map((id) => view.values(id)?.[index] ?? null),
      ]),
    ),
  )
}

interface FeastAnswer {
  readonly metadata: { readonly feature_names: readonly string[] }
  readonly results: readonly { readonly values: readonly unknown[] }[]
}

/** The values of an answer, without their statuses and timestamps. */
export function feastValues(answer: unknown): unknown {
  const { metadata, results } = answer as FeastAnswer
  return Object.fromEntries(
    metadata.feature_names.flatMap((name, index) =>
      name === 'customer_id' ? [] : [[name, results[index]?.values]],
    ),
  )
}
