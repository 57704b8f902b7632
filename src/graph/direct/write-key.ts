import type { KeyValue } from '../../definitions/value.ts'
import { writeInteger } from '../../online/json/number-text.ts'

/** An integer join key; beyond the safe integers its digits are a string. There is room for `longestNumber` bytes. */
export function writeKey(bytes: Buffer, at: number, key: KeyValue): number {
  return typeof key === 'number' ? writeInteger(bytes, at, key) : at + bytes.write(`"${key}"`, at, 'latin1')
}
