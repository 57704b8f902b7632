import { decimalDigits, isDecimal } from '../definitions/value-type.ts'
import type { Feature } from '../registry/registry.ts'
import {
  type RowLayout,
  readDecimal,
  readInt64,
  type Slot,
  slotsOf,
} from '../stores/online-value/packed-row.ts'

/** A feature and where its number stands in a vector. */
export interface PlacedFeature {
  readonly feature: Feature
  readonly place: number
}

/** Bytes of the layout → numbers in `vectors`, whose vector begins at `from`; nulls leave what stands there. */
type FillNumbers = (row: Buffer, vectors: Float64Array, from: number) => void

export interface PackedNumbers {
  /** The bytes are at least so long. */
  readonly fixedEnd: number
  readonly fill: FillNumbers
}

/**
 * Generated once per service and layout, as the decoders of rows are: straight reads, no row in between. Null where the layout
 * holds one of the features not as a number of its own type: then the row has to be read.
 */
export function compileNumbers(layout: RowLayout, wanted: readonly PlacedFeature[]): PackedNumbers | null {
  const { slots, fixedEnd } = slotsOf(layout)
  const lines: string[] = []
  for (const { feature, place } of wanted) {
    const slot = slots.find(({ name, type }) => name === feature.id && type === feature.type)
    const number = slot ? numberExpression(slot) : null
    if (!slot || number === null) return null
    lines.push(`if ((b[${slot.nullByte}] & ${slot.nullMask}) === 0) v[from + ${place}] = ${number}`)
  }
  const text = `return (b, v, from) => {\n${lines.join('\n')}\n}`
  const fill: FillNumbers = new Function('readInt64', 'readDecimal', text)(readInt64, readDecimal)
  return { fixedEnd, fill }
}

function numberExpression({ type, offset }: Slot): string | null {
  if (isDecimal(type)) return `Number(readDecimal(b, ${offset}, ${decimalDigits(type)}))`
  switch (type) {
    case 'float64':
      return `b.readDoubleLE(${offset})`
    case 'float32':
      return `b.readFloatLE(${offset})`
    case 'int32':
      return `b.readInt32LE(${offset})`
    case 'int64':
      return `Number(readInt64(b, ${offset}))`
    case 'bool':
      return `b[${offset}] === 1 ? 1 : 0`
    default:
      return null
  }
}
