import { isUtf8 } from 'node:buffer'
import { openBytes } from './file-bytes.ts'

/** Whole lines of a text file; `text` ends with a line break, except perhaps at the file's end. */
export interface TextBlock {
  readonly text: string
  /** By number in the block from 0 on, those that are not UTF-8; their text is what could be made of them. */
  readonly brokenLines: ReadonlySet<number>
  /** How much of the file has been read, from 0 to 1. */
  readonly done: number
}

const lineFeed = 0x0a
const byteOrderMark = '\ufeff'

/** Longer lines are cut there, so that a file without line breaks does not fill the memory. */
const maxLineBytes = 16 * 1_048_576

/**
 * A file's text in blocks of whole lines, each about 256 KB; `.gz` is unpacked.
 * @throws BadUserInput where the file cannot be read.
 */
export async function* textBlocks(path: string): AsyncGenerator<TextBlock> {
  const { bytes, done } = await openBytes(path)
  let rest: Buffer[] = []
  let restBytes = 0
  let first = true
  const block = (whole: Buffer): TextBlock => {
    const { text, brokenLines } = decode(whole)
    const start = first && text.startsWith(byteOrderMark) ? 1 : 0
    first = false
    return { text: text.slice(start), brokenLines, done: done() }
  }
  for await (const piece of bytes) {
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
}

/** Why a line is not read: what it probably is, by the first byte that is not UTF-8, and what to do. */
export function notUtf8(line: string): string {
  const before = line.slice(0, line.indexOf('\ufffd')).slice(-12)
  return `not UTF-8 behind ${JSON.stringify(before)}; if the file is Latin-1 (Windows-1252), convert it: iconv -f WINDOWS-1252 -t UTF-8`
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
