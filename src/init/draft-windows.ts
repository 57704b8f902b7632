import { type AggregationDefinition, count, countDistinct, mean, sum } from '../definitions/aggregation.ts'
import type { EntityDefinition } from '../definitions/entity.ts'
import type { EventSourceDefinition } from '../definitions/event-source.ts'
import { isNumeric } from '../definitions/value-type.ts'
import { batch, windowedView } from '../definitions/windowed-view.ts'
import { Code, type Drafted, plainValue } from './draft.ts'
import { columnName } from './draft-columns.ts'
import type { FoundColumn, FoundTable } from './found-table.ts'
import { constantName } from './guess-names.ts'
import type { Refused } from './placed-table.ts'
import { unusedName } from './unused-name.ts'

/** A view of an entity's events: their count, and what each field's type suggests. */
export function draftWindows(
  source: Drafted,
  of: Drafted | undefined,
  aggregated: readonly FoundColumn[],
  table: FoundTable,
  names: Set<string>,
  refused: Refused,
): Drafted[] {
  if (!of) return []
  const events = source.definition as EventSourceDefinition
  const name = unusedName(`${of.name}_${source.name}`, names)
  const features: Record<string, Code> = {}
  const add = (feature: string, text: string, aggregation: AggregationDefinition): void => {
    if (!refused.has(`feature view ${name}.${feature}`)) features[feature] = new Code(text, aggregation)
  }
  for (const window of ['7d', '30d']) add(`${source.name}_${window}`, `count('${window}')`, count(window))
  for (const column of aggregated) {
    const field = columnName(column, table)
    if (column.type === 'bool') {
      const where = { where: { [field]: true } }
      add(`${field}_30d`, `count('30d', { where: { ${field}: true } })`, count('30d', where))
    } else if (column.type !== null && isNumeric(column.type)) {
      add(`${field}_sum_30d`, `sum('${field}', '30d')`, sum(field, '30d'))
      add(`${field}_mean_30d`, `mean('${field}', '30d')`, mean(field, '30d'))
    } else if (column.type === 'string') {
      add(`distinct_${field}_30d`, `countDistinct('${field}', '30d')`, countDistinct(field, '30d'))
    }
  }
  const options = {
    entity: new Code(of.constant, of.definition),
    source: new Code(source.constant, events),
    compute: new Code("batch({ every: '1d' })", batch({ every: '1d' })),
    features,
  }
  const definition = windowedView(name, {
    entity: of.definition as EntityDefinition,
    source: events,
    compute: batch({ every: '1d' }),
    features: plainValue(features) as Record<string, AggregationDefinition>,
  })
  return [
    {
      writer: 'windowedView',
      name,
      constant: constantName(name),
      options,
      comments: [],
      definition,
      table: null,
    },
  ]
}
