import type { FileBatch, FileReader, MalformedRow } from '../file-reader.ts'
import { textBlocks } from './text-blocks.ts'

const batchRows = 2_048

type Fields = Readonly<Record<string, unknown>>

/** One JSON object a line; empty lines are no rows. An integer beyond 2^53 comes as a bigint. */
export const ndjsonFiles: FileReader = {
  async open(path) {
    const columns = new Set<string>()
    for await (const { rows } of lines(path, batchRows)) {
      for (const { fields } of rows) for (const name of Object.keys(fields ?? {})) columns.add(name)
      break
    }
    return {
      form: 'JSON',
      columns: [...columns],
      columnsAreFixed: false,
      localTimes: new Set(),
      async *read(wanted): AsyncGenerator<FileBatch> {
        for await (const { rows, done } of lines(path, batchRows)) {
          const malformed = new Map<number, MalformedRow>()
          rows.forEach((row, index) => {
            if (row.fields === null) malformed.set(index, row)
          })
          yield {
            rowNumbers: rows.map(({ rowNumber }) => rowNumber),
            columns: wanted.map(({ column }) =>
              rows.map(({ fields }) =>
                fields !== null && Object.hasOwn(fields, column) ? fields[column] : null,
              ),
            ),
            malformed,
            done,
          }
        }
      },
      close: async () => {},
    }
  },
}

interface Line extends MalformedRow {
  readonly rowNumber: number
  /** Null: malformed. */
  readonly fields: Fields | null
}

async function* lines(
  path: string,
  size: number,
): AsyncGenerator<{ readonly rows: readonly Line[]; readonly done: number }> {
  let rows: Line[] = []
  let rowNumber = 0
  for await (const { text, brokenLines, done } of textBlocks(path)) {
    const first = rowNumber
    let at = 0
    while (at < text.length) {
      const found = text.indexOf('\n', at)
      const end = found === -1 ? text.length : found
      const line = text.slice(at, end)
      rowNumber += 1
      at = end + 1
      if (line.trim() === '') continue
      rows.push({ rowNumber, ...(brokenLines.has(rowNumber - 1 - first) ? notUtf8(line) : readLine(line)) })
      if (rows.length === size) {
        yield { rows, done }
        rows = []
      }
    }
  }
  if (rows.length > 0) yield { rows, done: 1 }
}

type ReadLine = Omit<Line, 'rowNumber'>

function notUtf8(text: string): ReadLine {
  return { fields: null, text, reason: 'not UTF-8' }
}

function readLine(text: string): ReadLine {
  try {
    const json: unknown = longDigits.test(text) ? parseExact(text) : JSON.parse(text)
    if (typeof json === 'object' && json !== null && !Array.isArray(json))
      return { fields: json as Fields, text: '', reason: '' }
    return { fields: null, text, reason: 'expected a JSON object, one a line' }
  } catch {
    return { fields: null, text, reason: 'not JSON' }
  }
}

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
