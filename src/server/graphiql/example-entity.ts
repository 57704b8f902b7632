import type { Micros } from '../../definitions/timestamp.ts'
import type { KeyValue } from '../../definitions/value.ts'
import type { Entity, FeatureView, JoinKey, Registry } from '../../registry/registry.ts'
import type { ExampleKey, ExampleKeys } from '../../stores/example-keys.ts'

/** An entity to ask for, with views of it. */
export interface ExampleEntity {
  readonly entity: Entity
  readonly views: readonly FeatureView[]
  /** That of each view; none where nothing is stored, or none could be had cheaply. */
  readonly stored: readonly (readonly ExampleKey[])[]
  /** One or two that are there; else two that are made up. */
  readonly keys: readonly ExampleEntityKey[]
  readonly isMadeUp: boolean
}

export type ExampleEntityKey = readonly KeyValue[]

const viewsShown = 2
/** Of an entity with hundreds of views the first are looked at. */
const viewsAsked = 6

/** The first entity with a view online, else the first with a view. Null: there is none to ask for. */
export function firstEntity(registry: Registry): Entity | null {
  const asked = registry.entities.filter(({ views }) => views.length > 0)
  return asked.find(({ views }) => views.some(({ online }) => online)) ?? asked[0] ?? null
}

/** Stored and streaming views of it, one of each if there are, online ones and those with rows first. */
export async function exampleEntity(
  entity: Entity,
  { exampleKeys }: ExampleKeys,
  now: Micros,
): Promise<ExampleEntity> {
  const [stored, streaming] = [false, true].map((isStream) =>
    entity.views
      .filter(({ kind }) => (kind === 'STREAM') === isStream)
      .toSorted((left, right) => Number(right.online) - Number(left.online))
      .slice(0, viewsAsked / 2),
  )
  const asked = [...(stored ?? []), ...(streaming ?? [])]
  const found = await Promise.all(
    asked.map(async (view) => ({ view, keys: await exampleKeys(view, now, 2) })),
  )
  const filled = [
    ...found.filter(({ keys }) => keys.length > 0),
    ...found.filter(({ keys }) => keys.length === 0),
  ]
  const online = filled.filter(({ view }) => view.online)
  const candidates = online.length > 0 ? online : filled
  const first = candidates.slice(0, 1)
  const other = candidates.find(({ view }) => view.kind !== first[0]?.view.kind) ?? candidates[1]
  const shown = [...first, ...(other ? [other] : [])].slice(0, viewsShown)
  const distinct = new Map(
    shown.flatMap(({ keys }) => keys).map(({ key }) => [JSON.stringify(key), key] as const),
  )
  return {
    entity,
    views: shown.map(({ view }) => view),
    stored: shown.map(({ keys }) => keys),
    keys:
      distinct.size > 0
        ? [...distinct.values()].slice(0, 2)
        : [madeUpKey(entity.joinKeys, 0), madeUpKey(entity.joinKeys, 1)],
    isMadeUp: distinct.size === 0,
  }
}

const madeUp: Readonly<Record<string, readonly KeyValue[]>> = {
  int32: [1, 2, 999_999_999],
  int64: [1, 2, 999_999_999],
  uuid: ['1', '2', '9'].map((digit) => `00000000-0000-4000-8000-00000000000${digit}`),
}
const madeUpTexts: readonly KeyValue[] = ['a', 'b', 'unknown']

/** The third is one that hardly anybody has. */
export function madeUpKey(joinKeys: readonly JoinKey[], place: 0 | 1 | 2): ExampleEntityKey {
  return joinKeys.map(({ type }) => (madeUp[type] ?? madeUpTexts)[place] ?? '')
}
