const decoder = new TextDecoder('utf-8', { fatal: true })

/** Why a line that `readJsonLine` answers null for is not read. */
export const notJson = 'the line is not JSON in UTF-8'

/** What stands in a line of NDJSON; null where it is not JSON in UTF-8. */
export function readJsonLine(line: Uint8Array): { readonly json: unknown } | null {
  try {
    return { json: JSON.parse(decoder.decode(line)) }
  } catch {
    return null
  }
}
