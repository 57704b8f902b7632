import type { Micros } from '../../definitions/timestamp.ts'
import { decimalDigits, elementType, isDecimal } from '../../definitions/value-type.ts'
import type { FeatureView } from '../../registry/registry.ts'
import {
  type RowLayout,
  readDecimal,
  readSlot,
  type Slot,
  slotsOf,
} from '../../stores/online-value/packed-row.ts'
import type { JsonBytes } from './json-bytes.ts'
import {
  longestNumber,
  mostScaled,
  writeDouble,
  writeInteger,
  writeScaled,
  writeTimestamp,
} from './number-text.ts'
import { keyText, type SelectedField, type SelectedFreshness, type SelectedRow } from './selected-row.ts'
import { WriterCode } from './writer-code.ts'

/**
 * Bytes of the layout of a row that is PRESENT → its JSON. False: a part of the row points behind its end, and what was written
 * is to be taken back; it throws a RangeError for the same in a list.
 */
type WritePacked = (out: JsonBytes, row: Buffer, at: Micros) => boolean

export interface PackedJson {
  /** The bytes are at least so long. */
  readonly fixedEnd: number
  readonly write: WritePacked
}

/** Beyond some thousand bytes of code V8 leaves a function to its interpreter. */
const fieldsAFunction = 40

/**
 * Generated once per selection and layout, as the decoders of rows are: from bytes to bytes, no object in between. Null where
 * the layout holds a feature otherwise than it is declared: then the row has to be read.
 */
export function compilePackedJson(
  view: FeatureView,
  layout: RowLayout,
  selected: SelectedRow,
): PackedJson | null {
  const { slots, fixedEnd } = slotsOf(layout)
  const parts: WritePacked[] = []
  const count = Math.max(1, Math.ceil(selected.length / fieldsAFunction))
  for (let part = 0; part < count; part += 1) {
    const code = new WriterCode()
    if (part === 0) code.constant('{')
    const from = part * fieldsAFunction
    for (const [index, field] of selected.slice(from, from + fieldsAFunction).entries()) {
      code.constant(keyText(field.name, from + index))
      if (!addField(code, field, view, slots)) return null
    }
    if (part === count - 1) code.constant('}')
    parts.push(made(code, slots))
  }
  const [only, ...others] = parts
  if (only !== undefined && others.length === 0) return { fixedEnd, write: only }
  return { fixedEnd, write: (out, row, at) => parts.every((write) => write(out, row, at)) }
}

const given = {
  ...{ dataOf, writeDouble, writeInteger, writeScaled, writeTimestamp },
  ...{ writeLargeInteger, readDecimal, readSlot },
}

function made(code: WriterCode, slots: readonly Slot[]): WritePacked {
  const names = Object.keys(given)
  const text = `return (o, row, at) => {
const d = dataOf(row), s = row.byteOffset
let v
${code.body()}
return true
}`
  return new Function(...names, 'slots', text)(...Object.values(given), slots)
}

function addField(
  code: WriterCode,
  field: SelectedField,
  view: FeatureView,
  slots: readonly Slot[],
): boolean {
  if (field.kind === 'constant') {
    code.constant(field.json)
    return true
  }
  if (field.kind === 'freshness') {
    code.constant('{')
    field.fields.forEach((fact, index) => {
      code.constant(keyText(fact.name, index))
      addFact(code, fact, view)
    })
    code.constant('}')
    return true
  }
  const index = slots.findIndex(({ name, type }) => name === field.feature.id && type === field.feature.type)
  const slot = slots[index]
  if (slot === undefined) return false
  addFeature(code, slot, index)
  return true
}

/** `null` in four bytes. */
const nullStatement = 'w.setUint32(p, 0x6c6c756e, true); p += 4'

function addFeature(code: WriterCode, slot: Slot, index: number): void {
  const isNull = `(row[${slot.nullByte}] & ${slot.nullMask}) !== 0`
  const fixed = fixedStatement(slot)
  if (fixed !== null) {
    code.value(`if (${isNull}) { ${nullStatement} } else { ${fixed} }`, longestNumber)
    return
  }
  if (elementType(slot.type) === null && slot.type !== 'bytes') {
    const start = `row.readUInt32LE(${slot.offset})`
    const end = `${start} + row.readUInt32LE(${slot.offset + 4})`
    code.foreign(
      `if (${isNull}) o.raw('null'); else { const end = ${end}; if (end > row.length) return false; o.utf8(row, ${start}, end) }`,
    )
    return
  }
  code.foreign(`if (${isNull}) o.raw('null'); else o.value('${slot.type}', readSlot(row, slots[${index}]))`)
}

/** Null: the value's length is not bounded. */
function fixedStatement({ type, offset }: Slot): string | null {
  const int64 = `d.getInt32(s + ${offset + 4}, true) * 4294967296 + d.getUint32(s + ${offset}, true)`
  if (isDecimal(type)) {
    const digits = decimalDigits(type)
    const exact = `Number(readDecimal(row, ${offset}, ${digits}))`
    if (digits > mostScaled.digits) return `p = writeDouble(b, p, ${exact})`
    const isShort = `v > ${-mostScaled.magnitude} && v < ${mostScaled.magnitude}`
    return `v = ${int64}; p = ${isShort} ? writeScaled(b, p, v, ${digits}) : writeDouble(b, p, ${exact})`
  }
  switch (type) {
    case 'float64':
      return `v = d.getFloat64(s + ${offset}, true); ${finite}`
    case 'float32':
      return `v = d.getFloat32(s + ${offset}, true); ${finite}`
    case 'timestamp':
      return `v = d.getFloat64(s + ${offset}, true); ${timestampStatement}`
    case 'int32':
      return `p = writeInteger(b, p, d.getInt32(s + ${offset}, true))`
    case 'int64':
      return `v = ${int64}; p = Number.isSafeInteger(v) ? writeInteger(b, p, v) : writeLargeInteger(b, p, d.getBigInt64(s + ${offset}, true))`
    case 'bool':
      return `if (row[${offset}] === 1) { w.setUint32(p, 0x65757274, true); p += 4 } else { w.setUint32(p, 0x736c6166, true); b[p + 4] = 101; p += 5 }`
    default:
      return null
  }
}

const finite = 'if (v - v === 0) p = writeDouble(b, p, v); else o.hasFailed = true'
const timestampStatement = 'if (Number.isSafeInteger(v)) p = writeTimestamp(b, p, v); else o.hasFailed = true'

/** Of a row that is PRESENT, online and not streamed: what `ViewRow.freshness` says of it. */
function addFact(code: WriterCode, fact: SelectedFreshness, { ttlMicros }: FeatureView): void {
  const event = 'd.getFloat64(s + 8, true)'
  const orNull = (condition: string, statement: string): string =>
    `if (${condition}) { ${nullStatement} } else { ${statement} }`
  const value = (statement: string): void => code.value(statement, longestNumber)
  switch (fact.kind === 'constant' ? null : fact.fact) {
    case null:
      if (fact.kind === 'constant') code.constant(fact.json)
      break
    case 'status':
      code.constant('"PRESENT"')
      break
    case 'source':
      code.constant('"ONLINE"')
      break
    case 'lagSeconds':
    case 'reason':
      code.constant('null')
      break
    case 'eventTimestamp':
      value(`v = ${event}; ${timestampStatement}`)
      break
    case 'createdTimestamp':
      value(`v = d.getFloat64(s + 16, true); ${orNull('v === -Infinity', timestampStatement)}`)
      break
    case 'ageSeconds':
      value(`v = Math.max(0, at - ${event}) / 1000000; ${finite}`)
      break
    case 'expiresAt':
      if (ttlMicros === null) code.constant('null')
      else value(`v = ${event} + ${ttlMicros}; ${orNull('!Number.isSafeInteger(v)', timestampStatement)}`)
  }
}

/** Beyond the safe integers: its digits as a string. */
function writeLargeInteger(bytes: Buffer, at: number, value: bigint): number {
  return at + bytes.write(`"${value}"`, at, 'latin1')
}

let lastBuffer: ArrayBufferLike | null = null
let lastData: DataView = new DataView(new ArrayBuffer(0))

/** Rows of one reply stand in one piece of memory: a DataView each would cost more than the reading. */
function dataOf(row: Buffer): DataView {
  if (row.buffer !== lastBuffer) {
    lastBuffer = row.buffer
    lastData = new DataView(lastBuffer)
  }
  return lastData
}
