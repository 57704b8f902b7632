import { featureService } from '../definitions/feature-service.ts'
import type { FeatureTypes, PickableView } from '../definitions/feature-view.ts'
import { isNumeric } from '../definitions/value-type.ts'
import { Code, type Drafted } from './draft.ts'
import { constantName } from './guess-names.ts'

/** Of the numeric features of the first view that has some. */
export function draftService(views: readonly Drafted[]): Drafted[] {
  for (const view of views) {
    const definition = view.definition as PickableView<FeatureTypes> & {
      readonly features: object
      readonly entity: string
    }
    const names = Object.entries(definition.features).flatMap(([name, feature]: [string, unknown]) =>
      isServed(feature) ? [name] : [],
    )
    if (names.length === 0) continue
    const pick = definition.pick(...names)
    const name = `${view.name}_v1`
    const text = `${view.constant}.pick(${names.map((one) => `'${one}'`).join(', ')})`
    const comments = [
      'What one model takes, in the order of its vector: name it after the model, and pick what it needs.',
    ]
    const draft = {
      writer: 'featureService',
      name,
      constant: constantName(name),
      options: [new Code(text, pick)],
      comments,
    } as const
    return [{ ...draft, definition: featureService(name, [pick]), table: null }]
  }
  return []
}

function isServed(feature: unknown): boolean {
  if (typeof feature === 'object' && feature !== null && 'aggregate' in feature) return true
  const type = typeof feature === 'object' && feature !== null && 'type' in feature ? feature.type : feature
  return typeof type === 'string' && isNumeric(type as Parameters<typeof isNumeric>[0])
}
