/**
 * Rows as a script's arguments: their common length and all of them as one piece, or 0 and each by itself. Most views'
 * rows have one length, and 250 arguments cost the client more than the rows.
 */
export function rowArguments(rows: readonly Buffer[]): readonly (number | Buffer)[] {
  const width = rows[0]?.length ?? 0
  return rows.length > 1 && rows.every(({ length }) => length === width)
    ? [width, Buffer.concat(rows)]
    : [0, ...rows]
}
