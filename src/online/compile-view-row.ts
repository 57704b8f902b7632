import type { RowStatus } from '../definitions/row-status.ts'
import type { Micros } from '../definitions/timestamp.ts'
import type { Value } from '../definitions/value.ts'
import { decimalDigits, isDecimal } from '../definitions/value-type.ts'
import type { FeatureView } from '../registry/registry.ts'
import {
  type RowLayout,
  readDecimal,
  readInt64,
  readSlot,
  type Slot,
  slotsOf,
} from '../stores/online-value/packed-row.ts'
import { isNarrower, isReadableAs, narrowed } from './read-as.ts'
import { type FreshnessSource, ViewRow } from './view-row.ts'

type RowClass = new (
  view: FeatureView,
  source: FreshnessSource,
  at: Micros,
  status: RowStatus,
  event: Micros | null,
  created: Micros | null,
  ...values: readonly (Value | null)[]
) => ViewRow

/** Bytes of one layout → a row that is PRESENT. The bytes are at least `fixedEnd` long. */
type DecodePresent = (row: Buffer, at: Micros, event: Micros, created: Micros | null) => ViewRow

export interface PackedDecoder {
  readonly fixedEnd: number
  readonly decode: DecodePresent
}

/**
 * A class whose constructor sets one property a feature, and decoders that call it with what stands in the slots.
 * Both are generated once per view and layout, from names and offsets that the registry has checked: one hidden class
 * and straight reads, where a loop over slots took three to five times as long.
 */
export function compileRowClass(view: FeatureView): RowClass {
  const parameters = view.features.map((_, index) => `f${index}`)
  // One of more than 15 digits is text; what is answered is the Float next to it, in either engine.
  const values = view.features.map(({ type }, index) =>
    isDecimal(type) ? `typeof f${index} === 'string' ? Number(f${index}) : f${index}` : `f${index}`,
  )
  const text = `
    return class extends ViewRow {
      constructor(view, source, at, status, event, created, ${parameters.join(', ')}) {
        super(view, source, at, status, event, created)
        ${view.features.map((feature, index) => `this[${JSON.stringify(feature.graphqlName)}] = ${values[index]}`).join('\n')}
      }
    }`
  return new Function('ViewRow', text)(ViewRow)
}

/** Features that the layout lacks, or holds with a type that cannot be read as theirs, are null. */
export function compileDecoder(view: FeatureView, layout: RowLayout, Row: RowClass): PackedDecoder {
  const { slots, fixedEnd } = slotsOf(layout)
  const values = view.features.map((feature) => {
    const index = slots.findIndex(({ name, type }) => name === feature.id && isReadableAs(type, feature.type))
    const slot = slots[index]
    if (slot === undefined) return 'null'
    const stored = slotExpression(slot, index)
    const value = isNarrower(feature.type, slot.type) ? `narrowed(${stored}, '${feature.type}')` : stored
    return `(b[${slot.nullByte}] & ${slot.nullMask}) === 0 ? ${value} : null`
  })
  const text = `
    return (b, at, event, created) =>
      new Row(view, 'ONLINE', at, 'PRESENT', event, created, ${values.join(',\n')})`
  const make = new Function('Row', 'view', 'slots', 'readInt64', 'readDecimal', 'readSlot', 'narrowed', text)
  return { fixedEnd, decode: make(Row, view, slots, readInt64, readDecimal, readSlot, narrowed) }
}

function slotExpression(slot: Slot, index: number): string {
  if (isDecimal(slot.type)) return `readDecimal(b, ${slot.offset}, ${decimalDigits(slot.type)})`
  switch (slot.type) {
    case 'float64':
    case 'timestamp':
      return `b.readDoubleLE(${slot.offset})`
    case 'float32':
      return `b.readFloatLE(${slot.offset})`
    case 'int32':
      return `b.readInt32LE(${slot.offset})`
    case 'int64':
      return `readInt64(b, ${slot.offset})`
    case 'bool':
      return `b[${slot.offset}] === 1`
    default:
      return `readSlot(b, slots[${index}])`
  }
}
