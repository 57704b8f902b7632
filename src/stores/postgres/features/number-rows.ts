import type { Micros } from '../../../definitions/timestamp.ts'
import type { EntityRows } from '../../entity-rows.ts'
import type { OfflineView } from '../../offline-view.ts'
import { microsFrom1970To2000 } from '../sql/copy-binary.ts'

/**
 * The rows of an entity table whose keys are numbers in the binary format of COPY, straight from their columns, in a tenth of the
 * time that a row of any values takes. Some rows at a time, in a buffer that is filled anew by each call.
 */
export function numberRows(
  joinKeys: OfflineView['entity']['joinKeys'],
  keys: readonly Float64Array[],
  { asOf, knownAt }: Pick<EntityRows, 'asOf' | 'knownAt'>,
): (from: number, to: number) => Buffer {
  const widths = joinKeys.map(({ type }) => (type === 'int32' ? 4 : 8))
  const largestRow = 2 + 8 + widths.reduce((sum, width) => sum + 4 + width, 0) + 12 + 12
  let bytes = Buffer.alloc(0)
  return (from, to) => {
    if (bytes.length < (to - from) * largestRow) bytes = Buffer.allocUnsafeSlow((to - from) * largestRow)
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
    let at = 0
    for (let place = from; place < to; place += 1) {
      view.setInt16(at, keys.length + 3)
      at = putInt32(view, at + 2, place)
      for (let key = 0; key < keys.length; key += 1) {
        const number = keys[key]?.[place] ?? 0
        at = widths[key] === 4 ? putInt32(view, at, number) : putInt64(view, at, number)
      }
      at = putMoment(view, at, asOf[place] ?? 0)
      const known = knownAt(place)
      if (known === null) {
        view.setInt32(at, -1)
        at += 4
      } else at = putMoment(view, at, known)
    }
    return bytes.subarray(0, at)
  }
}

function putInt32(view: DataView, at: number, number: number): number {
  view.setInt32(at, 4)
  view.setInt32(at + 4, number)
  return at + 8
}

function putInt64(view: DataView, at: number, number: number): number {
  const high = Math.floor(number / 4_294_967_296)
  view.setInt32(at, 8)
  view.setInt32(at + 4, high)
  view.setUint32(at + 8, number - high * 4_294_967_296)
  return at + 12
}

function putMoment(view: DataView, at: number, micros: Micros): number {
  const from2000 = micros - microsFrom1970To2000
  if (Number.isSafeInteger(from2000)) return putInt64(view, at, from2000)
  // Before 1715.
  view.setInt32(at, 8)
  view.setBigInt64(at + 4, BigInt(micros) - BigInt(microsFrom1970To2000))
  return at + 12
}
