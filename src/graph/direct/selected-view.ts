import type { SelectedField, SelectedFreshness, SelectedRow } from '../../online/json/selected-row.ts'
import type { Freshness } from '../../online/view-row.ts'
import type { FeatureView } from '../../registry/registry.ts'
import type { AnsweredField, AnsweredFields } from './selected-fields.ts'

const facts: Readonly<Record<string, keyof Freshness>> = {
  status: 'status',
  eventTimestamp: 'eventTimestamp',
  createdTimestamp: 'createdTimestamp',
  ageSeconds: 'ageSeconds',
  expiresAt: 'expiresAt',
  source: 'source',
  lagSeconds: 'lagSeconds',
  reason: 'reason',
}

/** What is selected below a view's field; null where that is more than a writer knows. */
export function selectedRow(
  view: FeatureView,
  { selections }: AnsweredField,
  fieldsOf: AnsweredFields,
): SelectedRow | null {
  const selected: SelectedField[] = []
  for (const field of fieldsOf(selections)) {
    const { name } = field
    const asked = field.node.name.value
    if (asked === '__typename') {
      selected.push({ kind: 'constant', name, json: JSON.stringify(view.typeName) })
      continue
    }
    if (asked === 'freshness') {
      const fields = selectedFreshness(fieldsOf(field.selections))
      if (fields === null) return null
      selected.push({ kind: 'freshness', name, fields })
      continue
    }
    const feature = view.features.find(({ graphqlName }) => graphqlName === asked)
    if (!feature) return null
    selected.push({ kind: 'feature', name, feature })
  }
  return selected
}

function selectedFreshness(fields: readonly AnsweredField[]): readonly SelectedFreshness[] | null {
  const selected: SelectedFreshness[] = []
  for (const { name, node } of fields) {
    const asked = node.name.value
    const fact = Object.hasOwn(facts, asked) ? facts[asked] : undefined
    if (asked === '__typename') selected.push({ kind: 'constant', name, json: '"Freshness"' })
    else if (fact === undefined) return null
    else selected.push({ kind: 'fact', name, fact })
  }
  return selected
}
