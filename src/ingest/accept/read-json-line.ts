import { isTooDeepJson, tooDeepJson } from '../../definitions/json-depth.ts'

const decoder = new TextDecoder('utf-8', { fatal: true })

export type JsonLine = { readonly json: unknown } | { readonly unreadable: string }

/** What stands in a line of NDJSON, or why it is not read. */
export function readJsonLine(line: Uint8Array): JsonLine {
  let json: unknown
  try {
    json = JSON.parse(decoder.decode(line))
  } catch {
    return { unreadable: 'the line is not JSON in UTF-8' }
  }
  return isTooDeepJson(json) ? { unreadable: tooDeepJson } : { json }
}
