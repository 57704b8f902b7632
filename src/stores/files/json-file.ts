import { BadUserInput } from '../../errors.ts'
import type { FileReader } from '../file-reader.ts'
import { openBytes } from './file-bytes.ts'
import { readJsonRow } from './json-row.ts'
import { jsonLines } from './ndjson-file.ts'
import { type JsonRows, type NumberedRow, openedJson } from './opened-json.ts'

/**
 * One array of objects; a row is an element. A file that begins with an object is read as NDJSON, which tools write under
 * this name too.
 */
export const jsonFiles: FileReader = {
  async open(path) {
    const isArray = await beginsAsArray(path)
    return await openedJson(() => (isArray ? elementRows(path) : jsonLines(path)))
  },
}

async function beginsAsArray(path: string): Promise<boolean> {
  for await (const { text } of decoded(path)) {
    const start = text.trimStart()
    if (start !== '') return start.startsWith('[')
  }
  return false
}

/** An element that is longer is taken for an array that is not closed. */
const maxElementCharacters = 16 * 1_048_576

async function* elementRows(path: string): JsonRows {
  let rowNumber = 0
  for await (const { texts, done, isClosed } of elements(path)) {
    const rows = texts.map((text): NumberedRow => {
      rowNumber += 1
      if (!isClosed) return { rowNumber, fields: null, text, reason: 'the array does not end behind it' }
      const row = readJsonRow(text)
      return { rowNumber, ...row, reason: row.reason.replace('one a line', 'as every element of the array') }
    })
    yield { rows, done }
  }
}

interface Elements {
  readonly texts: readonly string[]
  readonly done: number
  readonly isClosed: boolean
}

/** Texts between the commas of the array, by its brackets and strings alone: one that is no JSON costs only itself. */
async function* elements(path: string): AsyncGenerator<Elements> {
  let depth = 0
  let inString = false
  let isEscaped = false
  let pending = ''
  for await (const { text, done } of decoded(path)) {
    let start = 0
    const texts: string[] = []
    for (let at = 0; at < text.length; at += 1) {
      const character = text[at]
      if (inString) {
        if (isEscaped) isEscaped = false
        else if (character === '\\') isEscaped = true
        else if (character === '"') inString = false
        continue
      }
      if (character === '"') inString = true
      else if (character === '[' || character === '{') {
        depth += 1
        if (depth === 1) start = at + 1
      } else if (character === ']' || character === '}' || (character === ',' && depth === 1)) {
        if (character !== ',') depth -= 1
        if (depth > (character === ',' ? 1 : 0)) continue
        const element = pending + text.slice(start, at)
        pending = ''
        start = at + 1
        if (element.trim() !== '') texts.push(element.trim())
      }
    }
    if (depth > 0) pending += text.slice(start)
    yield { texts, done, isClosed: true }
    if (pending.length > maxElementCharacters)
      throw new BadUserInput(
        `${path}: an element of the array is longer than 16 MB, or a bracket is not closed`,
      )
  }
  if (depth > 0) yield { texts: [pending.trim()], done: 1, isClosed: false }
}

async function* decoded(path: string): AsyncGenerator<{ readonly text: string; readonly done: number }> {
  const { bytes, done } = await openBytes(path)
  const decoder = new TextDecoder('utf-8', { fatal: true })
  try {
    for await (const piece of bytes) yield { text: decoder.decode(piece, { stream: true }), done: done() }
    decoder.decode()
  } catch (error) {
    if (!(error instanceof TypeError)) throw error
    const convert = `iconv -f WINDOWS-1252 -t UTF-8 ${path}`
    throw new BadUserInput(`${path} is not UTF-8; if it is Latin-1 (Windows-1252), convert it: ${convert}`)
  }
}
