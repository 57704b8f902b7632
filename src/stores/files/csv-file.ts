import { BadUserInput } from '../../errors.ts'
import {
  type FileBatch,
  type FileReader,
  type MalformedRow,
  noNumbers,
  type WantedColumn,
} from '../file-reader.ts'
import { readCsvRecord } from './csv-record.ts'
import { notUtf8, type TextBlock, textBlocks } from './text-blocks.ts'

const delimiters = [',', ';', '\t', '|']
const batchRows = 2_048

/** A record that is longer than this is taken for an unclosed quote. */
const maxRecordCharacters = 1_048_576

/**
 * CSV by RFC 4180 with a header; the delimiter is the one of comma, semicolon, tab and bar that splits the header most.
 * A malformed record is one row of its own, and reading goes on at the line behind its first: an unclosed quote costs its
 * line, not the rest of the file. (DuckDB's reader refuses such a file as a whole, or skips rows without a number.)
 */
export const csvFiles: FileReader = {
  async open(path) {
    const blocks = textBlocks(path)
    const { value: block } = await blocks.next()
    await blocks.return(undefined)
    const line = block?.text.slice(0, lineEnd(block.text, 0)) ?? ''
    if (block?.brokenLines.has(0)) throw new BadUserInput(`${path}: the header line is ${notUtf8(line)}`)
    if (line.trim() === '')
      throw new BadUserInput(`${path}: expected a header line with the names of the columns`)
    const delimiter = delimiters.reduce((best, one) =>
      line.split(one).length > line.split(best).length ? one : best,
    )
    const header = readCsvRecord(line, 0, delimiter)
    if (header.kind !== 'FIELDS') throw new BadUserInput(`${path}: the header line cannot be read as CSV`)
    const columns = header.fields.map((field) => field ?? '')
    return {
      form: 'TEXT',
      parquet: null,
      columns,
      columnsAreFixed: true,
      timeColumns: new Map(),
      read: (wanted) => readBatches(path, columns, delimiter, wanted),
      close: async () => {},
    }
  },
}

async function* readBatches(
  path: string,
  columns: readonly string[],
  delimiter: string,
  wanted: readonly WantedColumn[],
): AsyncGenerator<FileBatch> {
  const places = wanted.map(({ column }) => {
    if (columns.indexOf(column) !== columns.lastIndexOf(column))
      throw new BadUserInput(`${path}: column ${JSON.stringify(column)} is there twice`)
    return columns.indexOf(column)
  })
  let rowNumber = 0
  let batch = growingBatch(wanted.length)
  for await (const { record, done } of records(textBlocks(path), columns.length, delimiter)) {
    rowNumber += 1
    // The header.
    if (rowNumber === 1) continue
    batch.rowNumbers.push(rowNumber - 1)
    if ('reason' in record) batch.malformed.set(batch.rowNumbers.length - 1, record)
    const fields = 'reason' in record ? null : record
    places.forEach((place, index) => {
      batch.columns[index]?.push(fields?.[place] ?? null)
    })
    if (batch.rowNumbers.length === batchRows) {
      yield { ...batch, done }
      batch = growingBatch(wanted.length)
    }
  }
  if (batch.rowNumbers.length > 0) yield { ...batch, done: 1 }
}

function growingBatch(columns: number) {
  return {
    rowNumbers: [] as number[],
    columns: Array.from({ length: columns }, () => [] as (string | null)[]),
    malformed: new Map<number, MalformedRow>(),
    numbers: noNumbers,
  }
}

interface PlacedRecord {
  readonly record: readonly (string | null)[] | MalformedRow
  readonly done: number
}

/** Empty lines are no records. */
async function* records(
  blocks: AsyncIterable<TextBlock>,
  width: number,
  delimiter: string,
): AsyncGenerator<PlacedRecord> {
  let text = ''
  const brokenLines = new Set<number>()
  let line = 0
  let done = 0
  let ended = false

  /** Reads what is whole; what may go on in the next block stays in `text`. */
  function* readWhole(): Generator<PlacedRecord> {
    let at = 0
    while (at < text.length) {
      const end = lineEnd(text, at)
      const broken = brokenLines.delete(line)
      const read = broken
        ? ({ kind: 'MALFORMED', reason: notUtf8(text.slice(at, end)) } as const)
        : readRecord(text, at, end, delimiter)
      if (read.kind === 'OPEN' && !ended && text.length - at < maxRecordCharacters) break
      const wide = read.kind === 'FIELDS' && read.fields.length === width
      const next = wide ? read.end : end
      const lines = next === end ? 1 : countLines(text, at, next)
      const isEmpty = end - at <= 2 && text.slice(at, end).trim() === ''
      const isSplit = wide && lines > 1 && [...brokenLines].some((one) => one > line && one < line + lines)
      if (!isEmpty) {
        const reason = `line ${line + 1}: ${isSplit ? notUtf8(text.slice(at, next)) : reasonOf(read, width)}`
        const record = wide && !isSplit ? read.fields : { text: text.slice(at, end).trimEnd(), reason }
        yield { record, done }
      }
      line += lines
      at = next
    }
    text = text.slice(at)
  }

  for await (const block of blocks) {
    const before = line + countLines(text, 0, text.length)
    for (const one of block.brokenLines) brokenLines.add(before + one)
    text = text === '' ? block.text : text + block.text
    done = block.done
    yield* readWhole()
  }
  ended = true
  yield* readWhole()
}

/** Nearly all lines have no quotes: they are split at once. */
function readRecord(
  text: string,
  at: number,
  end: number,
  delimiter: string,
): ReturnType<typeof readCsvRecord> {
  let stop = text[end - 1] === '\n' ? end - 1 : end
  if (text[stop - 1] === '\r') stop -= 1
  const line = text.slice(at, stop)
  if (line.includes('"')) return readCsvRecord(text, at, delimiter)
  const fields: (string | null)[] = line.split(delimiter)
  for (let index = 0; index < fields.length; index += 1) if (fields[index] === '') fields[index] = null
  return { kind: 'FIELDS', fields, end }
}

function reasonOf(read: ReturnType<typeof readCsvRecord>, width: number): string {
  switch (read.kind) {
    case 'OPEN':
      return 'a quote is not closed'
    case 'MALFORMED':
      return read.reason
    case 'FIELDS':
      return `expected ${width} fields, as the header has, got ${read.fields.length}`
  }
}

/** Behind the line's break. */
function lineEnd(text: string, start: number): number {
  const found = text.indexOf('\n', start)
  return found === -1 ? text.length : found + 1
}

function countLines(text: string, start: number, end: number): number {
  let count = 0
  for (let at = text.indexOf('\n', start); at !== -1 && at < end; at = text.indexOf('\n', at + 1)) count += 1
  return count
}
