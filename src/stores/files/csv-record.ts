/** A CSV record and where the next one begins; OPEN: the text ends inside quotes. */
export type CsvRecord =
  | { readonly kind: 'FIELDS'; readonly fields: readonly (string | null)[]; readonly end: number }
  | { readonly kind: 'MALFORMED'; readonly reason: string }
  | { readonly kind: 'OPEN' }

/**
 * The record that begins at `start` and runs over quotes, by RFC 4180: a quoted field may hold delimiters, line breaks
 * and doubled quotes. A field without quotes that is empty is null.
 */
export function readCsvRecord(text: string, start: number, delimiter: string): CsvRecord {
  const fields: (string | null)[] = []
  let at = start
  for (;;) {
    let next: number
    if (text[at] === '"') {
      const close = closingQuote(text, at + 1)
      if (close === -1) return { kind: 'OPEN' }
      fields.push(text.slice(at + 1, close).replaceAll('""', '"'))
      next = close + 1
      if (text[next] === '\r' && text[next + 1] === '\n') next += 1
      const behind = text[next]
      if (behind !== undefined && behind !== delimiter && behind !== '\n') {
        return { kind: 'MALFORMED', reason: 'something stands behind a closing quote' }
      }
    } else {
      const lineEnd = text.indexOf('\n', at)
      const stop = lineEnd === -1 ? text.length : lineEnd
      const found = text.indexOf(delimiter, at)
      next = found === -1 || found > stop ? stop : found
      const field = text.slice(at, next === stop && text[stop - 1] === '\r' ? stop - 1 : next)
      if (field.includes('"'))
        return { kind: 'MALFORMED', reason: 'a quote stands inside a field without quotes' }
      fields.push(field === '' ? null : field)
    }
    if (text[next] === delimiter) at = next + 1
    else return { kind: 'FIELDS', fields, end: Math.min(next + 1, text.length) }
  }
}

/** -1 where there is none. */
function closingQuote(text: string, start: number): number {
  let at = text.indexOf('"', start)
  while (at !== -1 && text[at + 1] === '"') at = text.indexOf('"', at + 2)
  return at
}
