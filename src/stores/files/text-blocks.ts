import { isUtf8 } from 'node:buffer'
import { createReadStream } from 'node:fs'
import { stat } from 'node:fs/promises'
import { createGunzip } from 'node:zlib'
import { BadUserInput, messageOf } from '../../errors.ts'

/** Whole lines of a text file; `text` ends with a line break, except perhaps at the file's end. */
export interface TextBlock {
  readonly text: string
  /** By number in the block from 0 on, those that are not UTF-8; their text is what could be made of them. */
  readonly brokenLines: ReadonlySet<number>
  /** How much of the file has been read, from 0 to 1. */
  readonly done: number
}

const readBytes = 262_144
const lineFeed = 0x0a
const byteOrderMark = '\ufeff'

/** Longer lines are cut there, so that a file without line breaks does not fill the memory. */
const maxLineBytes = 16 * 1_048_576

/**
 * A file's text in blocks of whole lines, each about 256 KB; `.gz` is unpacked.
 * @throws BadUserInput where the file cannot be read.
 */
export async function* textBlocks(path: string): AsyncGenerator<TextBlock> {
  const { size } = await stat(path)
  const file = createReadStream(path, { highWaterMark: readBytes })
  const bytes = path.endsWith('.gz') ? file.pipe(createGunzip({ chunkSize: readBytes })) : file
  // `pipe` hands on no errors.
  if (bytes !== file) file.on('error', (error) => bytes.destroy(error))
  const done = (): number => (size === 0 ? 1 : file.bytesRead / size)
  let rest: Buffer[] = []
  let restBytes = 0
  let first = true
  const block = (whole: Buffer): TextBlock => {
    const { text, brokenLines } = decode(whole)
    const start = first && text.startsWith(byteOrderMark) ? 1 : 0
    first = false
    return { text: text.slice(start), brokenLines, done: done() }
  }
  try {
    for await (const piece of readable(path, bytes)) {
      const end = piece.lastIndexOf(lineFeed) + 1
      if (end === 0 && restBytes + piece.length < maxLineBytes) {
        rest.push(piece)
        restBytes += piece.length
        continue
      }
      const cut = end === 0 ? piece.length : end
      const whole = Buffer.concat([...rest, piece.subarray(0, cut)])
      rest = cut === piece.length ? [] : [piece.subarray(cut)]
      restBytes = piece.length - cut
      yield block(whole)
    }
    if (restBytes > 0) yield block(Buffer.concat(rest))
  } finally {
    file.destroy()
    if (bytes !== file) bytes.destroy()
  }
}

async function* readable(path: string, bytes: AsyncIterable<unknown>): AsyncGenerator<Buffer> {
  try {
    for await (const piece of bytes) if (Buffer.isBuffer(piece)) yield piece
  } catch (error) {
    const message = messageOf(error)
    throw new BadUserInput(`${path} cannot be read: ${message}`, { cause: error })
  }
}

const noLines: ReadonlySet<number> = new Set()

function decode(bytes: Buffer): Pick<TextBlock, 'text' | 'brokenLines'> {
  if (isUtf8(bytes)) return { text: bytes.toString('utf8'), brokenLines: noLines }
  const brokenLines = new Set<number>()
  const lines: string[] = []
  let start = 0
  while (start < bytes.length) {
    const found = bytes.indexOf(lineFeed, start)
    const end = found === -1 ? bytes.length : found + 1
    const line = bytes.subarray(start, end)
    if (!isUtf8(line)) brokenLines.add(lines.length)
    lines.push(line.toString('utf8'))
    start = end
  }
  return { text: lines.join(''), brokenLines }
}
