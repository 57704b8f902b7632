import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { BadUserInput } from '../../../src/errors.ts'
import type { FileReader } from '../../../src/stores/file-reader.ts'
import { csvFiles } from '../../../src/stores/files/csv-file.ts'
import { ndjsonFiles } from '../../../src/stores/files/ndjson-file.ts'

let folder: string
let made = 0
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'featuregraph-files-'))
})
afterAll(() => rm(folder, { recursive: true, force: true }))

/** Row number → its values, or why it has none. */
async function rowsOf(
  reader: FileReader,
  content: string | Uint8Array,
  names: readonly string[],
  extension = 'txt',
): Promise<unknown[]> {
  made += 1
  const path = join(folder, `${made}.${extension}`)
  await writeFile(path, content)
  const file = await reader.open(path)
  const rows: unknown[] = []
  const wanted = names.map((column) => ({ column, type: 'string' as const }))
  for await (const { rowNumbers, columns, malformed } of file.read(wanted)) {
    rowNumbers.forEach((rowNumber, index) => {
      const bad = malformed.get(index)
      rows.push([rowNumber, ...(bad ? [bad.reason, bad.text] : columns.map((column) => column[index]))])
    })
  }
  await file.close()
  return rows
}

const csv = (content: string | Uint8Array, extension?: string) =>
  rowsOf(csvFiles, content, ['a', 'b'], extension)
const ndjson = (content: string | Uint8Array) => rowsOf(ndjsonFiles, content, ['a', 'b'])

const latin1 = 'if the file is Latin-1 (Windows-1252), convert it: iconv -f WINDOWS-1252 -t UTF-8'

describe('CSV', () => {
  it('distinguishes nothing from an empty text, and reads quotes, doubled quotes, line breaks and delimiters in them', async () => {
    expect(await csv('a,b\n1,\n"",x\n"say ""hi"", now","two\nlines"\r\n4,"q"')).toEqual([
      [1, '1', null],
      [2, '', 'x'],
      [3, 'say "hi", now', 'two\nlines'],
      [4, '4', 'q'],
    ])
  })

  it.each([
    ['semicolons and CRLF', 'a;b\r\n1;x,y\r\n\r\n2;"z;"\r\n'],
    ['tabs and a byte order mark', '\ufeffa\tb\n1\tx,y\n2\tz;\n'],
    ['bars, without a last line break', 'c|b|a\n0|x,y|1\n0|z;|2'],
  ])('is read with %s', async (_, content) => {
    expect(await csv(content)).toEqual([
      [1, '1', 'x,y'],
      [2, '2', 'z;'],
    ])
  })

  it('goes on behind every kind of malformed line, with the right numbers', async () => {
    const invalid = Buffer.concat([Buffer.from('a,b\n1,x\n2,'), Buffer.from([0xff]), Buffer.from('\n')])
    const rest = '3,\ufffd\n4,y,z\n5\n6,"y"z\n7,a"b\n8,"never closed\n9,"ok"\n\n10,end\n'
    expect(await csv(Buffer.concat([invalid, Buffer.from(rest)]))).toEqual([
      [1, '1', 'x'],
      [2, `line 3: not UTF-8 behind "2,"; ${latin1}`, '2,\ufffd'],
      [3, '3', '\ufffd'],
      [4, 'line 5: expected 2 fields, as the header has, got 3', '4,y,z'],
      [5, 'line 6: expected 2 fields, as the header has, got 1', '5'],
      [6, 'line 7: something stands behind a closing quote', '6,"y"z'],
      [7, 'line 8: a quote stands inside a field without quotes', '7,a"b'],
      [8, 'line 9: something stands behind a closing quote', '8,"never closed'],
      [9, '9', 'ok'],
      [10, '10', 'end'],
    ])
  })

  it('loses one line to a quote that nothing closes, also in a large file', async () => {
    const lines = Array.from({ length: 200_000 }, (_, index) => `${index},v${index}`)
    lines[1_234] = '1234,"open'
    const rows = await csv(`a,b\n${lines.join('\n')}`)
    expect(rows).toHaveLength(200_000)
    expect(rows[1_234]).toEqual([1_235, 'line 1236: a quote is not closed', '1234,"open'])
    expect(rows.at(-1)).toEqual([200_000, '199999', 'v199999'])
  })

  it('may be packed', async () => {
    expect(await csv(gzipSync('a,b\n1,x\n'), 'csv.gz')).toEqual([[1, '1', 'x']])
    await expect(csv('a,b\n1,x\n', 'csv.gz')).rejects.toThrow(/cannot be read: .*header/)
  })

  it('is refused without a header, or with a wanted column twice', async () => {
    await expect(csv('')).rejects.toThrow(/expected a header line/)
    await expect(csv('\n1,2\n')).rejects.toThrow(BadUserInput)
    await expect(csv('a,b,a\n1,2,3\n')).rejects.toThrow(/column "a" is there twice/)
  })
})

describe('NDJSON', () => {
  it('keeps long integers exact and lines apart, and counts empty lines', async () => {
    const content = [
      '{"a":1,"b":"x"}',
      '{bad',
      '',
      '{"a":9223372036854775807,"b":[-12345678901234567890, 1.0000000000000000001, "1234567890123456789"]}',
      '[1]',
      '{"b":{"a":2}}',
    ]
    expect(await ndjson(content.join('\n'))).toEqual([
      [1, 1, 'x'],
      [2, 'not JSON', '{bad'],
      [4, 9_223_372_036_854_775_807n, [-12_345_678_901_234_567_890n, 1, '1234567890123456789']],
      [5, 'expected a JSON object, one a line', '[1]'],
      [6, null, { a: 2 }],
    ])
  })

  it('reports a line that is not UTF-8', async () => {
    const content = [Buffer.from('{"a":1}\n{"a":"'), Buffer.from([0xc3]), Buffer.from('"}\n{"a":3}\n')]
    expect(await ndjson(Buffer.concat(content))).toEqual([
      [1, 1, null],
      [2, `not UTF-8 behind "{\\"a\\":\\""; ${latin1}`, '{"a":"\ufffd"}'],
      [3, 3, null],
    ])
  })
})
