import { type Micros, parseTimestamp } from '../../definitions/timestamp.ts'
import { elementType } from '../../definitions/value-type.ts'
import { InvalidRow } from '../../errors.ts'
import type { FeatureView } from '../../registry/registry.ts'
import { readJsonLine } from '../accept/read-json-line.ts'
import type { PushedRow } from './push-rows.ts'

const timestampExpected = 'an RFC 3339 timestamp with an explicit offset'

/**
 * A line of NDJSON → a row as offered, or why it is none. Registry names side by side, as in the table; timestamps are
 * RFC 3339, bytes base64, int64 a safe integer or a decimal string. Values of other types are checked later, by
 * `acceptRow`.
 */
export function readPushedLine(view: FeatureView, line: Uint8Array): PushedRow | InvalidRow {
  const parsed = readJsonLine(line)
  if ('unreadable' in parsed) return new InvalidRow(parsed.unreadable)
  const { json } = parsed
  if (typeof json !== 'object' || json === null || Array.isArray(json))
    return new InvalidRow('expected a JSON object, one a line')
  const problems: string[] = []
  const read = (name: string, expected: string, value: unknown): unknown => {
    if (value === null) problems.push(`${name}: expected ${expected}`)
    return value
  }
  const { event_timestamp: eventTimestamp, ...fields } = json as Record<string, unknown>
  const micros = read('event_timestamp', timestampExpected, readTimestamp(eventTimestamp))
  const key: Record<string, unknown> = {}
  for (const { name } of view.entity.joinKeys) {
    key[name] = fields[name]
    delete fields[name]
  }
  for (const { name, type } of view.features) {
    const value = fields[name]
    const scalar = elementType(type) ?? type
    if (value === null || value === undefined || (scalar !== 'timestamp' && scalar !== 'bytes')) continue
    const readOne = scalar === 'timestamp' ? readTimestamp : readBytes
    const expected = scalar === 'timestamp' ? timestampExpected : 'base64'
    fields[name] =
      scalar === type
        ? read(name, expected, readOne(value))
        : Array.isArray(value)
          ? value.map((item) => read(name, `a list of ${expected}`, readOne(item)))
          : read(name, `a list of ${expected}`, null)
  }
  if (problems.length > 0 || typeof micros !== 'number') {
    const problemList = [...new Set(problems)].join('; ')
    return new InvalidRow(`a row of feature view "${view.name}" does not fit: ${problemList}`)
  }
  return { key, values: fields, eventTimestamp: micros }
}

function readTimestamp(value: unknown): Micros | null {
  return typeof value === 'string' ? parseTimestamp(value) : null
}

function readBytes(value: unknown): Buffer | null {
  if (typeof value !== 'string') return null
  const bytes = Buffer.from(value, 'base64')
  return bytes.toString('base64') === value ? bytes : null
}
