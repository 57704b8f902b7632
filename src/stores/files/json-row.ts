import { isTooDeepJson, isTooDeepText, tooDeepJson } from '../../definitions/json-depth.ts'
import type { MalformedRow } from '../file-reader.ts'

export interface JsonRow extends MalformedRow {
  /** Null: malformed. */
  readonly fields: Readonly<Record<string, unknown>> | null
}

/**
 * A row of the JSON object that the text is; an integer beyond 2^53 is a bigint. NaN, which Python writes and JSON has not, is
 * null, and an infinite number a text.
 */
export function readJsonRow(text: string): JsonRow {
  let json: unknown
  try {
    // A reviver goes down by itself.
    if (longDigits.test(text) && isTooDeepText(text)) return { fields: null, text, reason: tooDeepJson }
    json = longDigits.test(text) ? parseExact(text) : JSON.parse(text)
  } catch {
    if (!notNumber.test(text)) return { fields: null, text, reason: 'not JSON' }
    const without = text.replace(stringOrNotNumber, (found) =>
      found.startsWith('"') ? found : found === 'NaN' ? 'null' : `"${found}"`,
    )
    return without === text ? { fields: null, text, reason: 'not JSON' } : readJsonRow(without)
  }
  if (isTooDeepJson(json)) return { fields: null, text, reason: tooDeepJson }
  if (typeof json !== 'object' || json === null || Array.isArray(json))
    return { fields: null, text, reason: 'expected a JSON object, one a line' }
  return { fields: json as Readonly<Record<string, unknown>>, text: '', reason: '' }
}

const notNumber = /NaN|Infinity/
const stringOrNotNumber = /"(?:[^"\\]|\\.)*"|NaN|-?Infinity/g
const longDigits = /\d{16}/

/** A string as it stands, or an integer of sixteen digits and more. */
const stringOrInteger = /"(?:[^"\\]|\\.)*"|-?\d{16,}(?![\d.eE])/g
const exactKey = '\0integer'

/** `JSON.parse` would round long integers: they travel as objects with a key that nobody has. */
function parseExact(text: string): unknown {
  const before = /[:[,\s]/
  const marked = text.replace(stringOrInteger, (found, at: number) =>
    found.startsWith('"') || Number.isSafeInteger(Number(found)) || !before.test(text[at - 1] ?? '')
      ? found
      : `{"${'\\u0000integer'}":"${found}"}`,
  )
  return JSON.parse(marked, (_, value: unknown) => {
    if (typeof value !== 'object' || value === null || !(exactKey in value)) return value
    const digits = value[exactKey]
    return typeof digits === 'string' ? BigInt(digits) : value
  })
}
