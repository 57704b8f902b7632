import type { FileReader } from '../file-reader.ts'
import { readJsonRow } from './json-row.ts'
import { type JsonRows, type NumberedRow, openedJson } from './opened-json.ts'
import { notUtf8, textBlocks } from './text-blocks.ts'

/** One JSON object a line; empty lines are no rows. An integer beyond 2^53 comes as a bigint. */
export const ndjsonFiles: FileReader = {
  open: (path) => openedJson(() => jsonLines(path)),
}

export async function* jsonLines(path: string): JsonRows {
  let rowNumber = 0
  for await (const { text, brokenLines, done } of textBlocks(path)) {
    const first = rowNumber
    const rows: NumberedRow[] = []
    let at = 0
    while (at < text.length) {
      const found = text.indexOf('\n', at)
      const end = found === -1 ? text.length : found
      const line = text.slice(at, end)
      rowNumber += 1
      at = end + 1
      if (line.trim() === '') continue
      const isBroken = brokenLines.has(rowNumber - 1 - first)
      const row = isBroken ? { fields: null, text: line, reason: notUtf8(line) } : readJsonRow(line)
      rows.push({ rowNumber, ...row })
    }
    yield { rows, done }
  }
}
