import type { Readable } from 'node:stream'
import { heard } from './heard.ts'

const maxLineBytes = 1_048_576
/** A batch ends at either, by the lines alone, so that a retry of the same lines is cut alike. */
const maxBatchRows = 2_000
const maxBatchBytes = 1_048_576
/** Why a line that is too long is not read. */
export const lineTooLong = `a line has at most ${maxLineBytes} bytes`

/** A line without its end; of one that is too long nothing is stored. */
export type Line = Buffer | 'too long'

/**
 * The lines of a body, each read, a batch in memory at a time: the next one is taken from the sender once it is asked for.
 * Blank lines are left out. A body that breaks off ends this with its error, and the batch that was coming in is not
 * answered.
 */
export async function* ndjsonBatches<T>(
  body: Readable,
  read: (line: Line) => T,
): AsyncGenerator<readonly T[]> {
  let rows: T[] = []
  let bytes = 0
  for await (const line of linesOf(body)) {
    rows.push(read(line))
    bytes += line.length
    if (rows.length < maxBatchRows && bytes < maxBatchBytes) continue
    yield rows
    rows = []
    bytes = 0
  }
  if (rows.length > 0) yield rows
}

async function* linesOf(body: Readable): AsyncGenerator<Line> {
  let parts: Buffer[] = []
  let size = 0
  const take = (part: Buffer): void => {
    size += part.length
    if (size <= maxLineBytes) parts.push(part)
    else parts = []
  }
  const end = (): Line | null => {
    const line = size > maxLineBytes ? 'too long' : Buffer.concat(parts)
    parts = []
    size = 0
    return line === 'too long' || line.some((byte) => byte !== 0x20 && byte !== 0x09 && byte !== 0x0d)
      ? line
      : null
  }
  for await (const chunk of heard(body)) {
    let start = 0
    for (let at = chunk.indexOf(10); at >= 0; at = chunk.indexOf(10, start)) {
      take(chunk.subarray(start, at))
      start = at + 1
      const line = end()
      if (line !== null) yield line
    }
    take(chunk.subarray(start))
  }
  const last = end()
  if (last !== null) yield last
}
