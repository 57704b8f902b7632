import type { ScalarValue, Value } from '../../definitions/value.ts'
import { elementType, isDecimal, type ValueType } from '../../definitions/value-type.ts'
import { longestNumber, writeDouble, writeTimestamp } from './number-text.ts'

const firstBytes = 64 * 1_024
/** Of longer texts the call into Node costs less. */
const mostByCharacter = 32

/**
 * An answer's JSON as it is written, one after the other into the same bytes: what was written is to be taken before anything
 * is awaited. Texts are those of JSON.stringify over the values that GraphQL would answer.
 */
export class JsonBytes {
  bytes: Buffer = Buffer.allocUnsafeSlow(firstBytes)
  /** Over all of `bytes`. */
  data: DataView = new DataView(this.bytes.buffer)
  /** Where the next byte goes. */
  at = 0
  private readonly limit: number
  private isAscii = true
  /** A value came that has no text, as infinity: the answer is not to be used. */
  hasFailed = false

  /** `limit`: that an answer may have. */
  constructor(limit: number) {
    this.limit = limit
  }

  /** Beyond the limit: asked once a row, so that what is written is at most a row longer. */
  isFull(): boolean {
    return this.at > this.limit
  }

  begin(): void {
    this.at = 0
    this.isAscii = true
    this.hasFailed = false
  }

  /** That so many bytes may be written at `at`. */
  room(count: number): void {
    const needed = this.at + count
    if (needed <= this.bytes.length) return
    const larger = Buffer.allocUnsafeSlow(Math.max(needed, 2 * this.bytes.length))
    larger.set(this.bytes.subarray(0, this.at))
    this.bytes = larger
    this.data = new DataView(larger.buffer)
  }

  /** Text that is JSON already, in ASCII. */
  raw(text: string): void {
    const { length } = text
    this.room(length)
    if (length > mostByCharacter) {
      this.at += this.bytes.write(text, this.at, 'latin1')
      return
    }
    const { bytes, at } = this
    for (let index = 0; index < length; index += 1) bytes[at + index] = text.charCodeAt(index)
    this.at = at + length
  }

  /** A string's JSON. */
  text(value: string): void {
    const json = JSON.stringify(value)
    this.room(3 * json.length)
    const count = this.bytes.write(json, this.at, 'utf8')
    if (count !== json.length) this.isAscii = false
    this.at += count
  }

  number(value: number): void {
    if (!Number.isFinite(value)) {
      this.hasFailed = true
      return
    }
    this.room(longestNumber)
    this.at = writeDouble(this.bytes, this.at, value)
  }

  /** Microseconds as a timestamp. */
  timestamp(micros: number | null): void {
    if (micros === null) this.raw('null')
    else if (Number.isSafeInteger(micros)) {
      this.room(longestNumber)
      this.at = writeTimestamp(this.bytes, this.at, micros)
    } else this.hasFailed = true
  }

  value(type: ValueType, value: Value | null): void {
    const element = elementType(type)
    if (value === null) this.raw('null')
    else if (element === null) this.scalar(type, value as ScalarValue)
    else this.list(value as readonly ScalarValue[], (item) => this.scalar(element, item))
  }

  list<T>(items: readonly T[], write: (item: T) => void): void {
    this.raw('[')
    for (let index = 0; index < items.length; index += 1) {
      if (index > 0) this.raw(',')
      write(items[index] as T)
    }
    this.raw(']')
  }

  /** UTF-8 of a row between two places, as a string. */
  utf8(row: Buffer, start: number, end: number): void {
    const length = end - start
    this.room(length + 2)
    const { bytes } = this
    let at = this.at
    bytes[at] = 34
    at += 1
    for (let place = start; place < end; place += 1) {
      const byte = row[place] ?? 0
      if (byte < 32 || byte > 126 || byte === 34 || byte === 92) {
        this.text(row.toString('utf8', start, end))
        return
      }
      bytes[at] = byte
      at += 1
    }
    bytes[at] = 34
    this.at = at + 1
  }

  private scalar(type: ValueType, value: ScalarValue): void {
    if (typeof value === 'boolean') this.raw(value ? 'true' : 'false')
    else if (type === 'timestamp') this.timestamp(Number(value))
    else if (isDecimal(type)) this.number(Number(value))
    else if (typeof value === 'string') this.text(value)
    else if (typeof value === 'object') this.text(Buffer.from(value).toString('base64'))
    else this.number(value)
  }

  /** Copied: text where every character is a byte, which Node sends without a look at each, else UTF-8. */
  take(): string | Buffer {
    return this.isAscii
      ? this.bytes.toString('latin1', 0, this.at)
      : Buffer.from(this.bytes.subarray(0, this.at))
  }
}
