import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { RecordBatchReader, tableFromArrays, tableToIPC } from 'apache-arrow'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { BadUserInput } from '../../../src/errors.ts'
import { arrowFiles } from '../../../src/stores/duckdb/arrow-files.ts'
import { connectDuckDb } from '../../../src/stores/duckdb/open-duckdb.ts'
import { writeArrow } from '../../../src/stores/duckdb/write-arrow.ts'
import type { WantedColumn } from '../../../src/stores/file-reader.ts'

/** Written by pyarrow 26.0.1. */
const fixture = (name: string): string => join(import.meta.dirname, 'arrow', name)
const at = 1_793_527_200_123_456

let folder: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'featuregraph-arrow-test-'))
})
afterAll(() => rm(folder, { recursive: true, force: true }))

async function rowsOf(
  path: string,
  wanted: readonly WantedColumn[],
): Promise<readonly (readonly unknown[])[]> {
  const opened = await arrowFiles.open(path)
  const columns: unknown[][] = wanted.map(() => [])
  try {
    for await (const batch of opened.read(wanted))
      for (const [place, values] of batch.columns.entries()) columns[place]?.push(...values)
  } finally {
    await opened.close()
  }
  return columns
}

describe('an Arrow file', () => {
  it.each(['plain.arrow', 'stream.arrow'])(
    'of every type is read, record batch by record batch: %s',
    async (name) => {
      const expected: Readonly<
        Record<string, readonly [type: WantedColumn['type'], values: readonly unknown[]]>
      > = {
        shop_id: ['string', ['a', null, 'Ä "b"']],
        event_timestamp: ['timestamp', [at, null, at - 123_456 + 7_200_000_000]],
        rain: ['float64', [0.5, 1, null]],
        label: ['int32', [1, null, -3]],
        s: ['timestamp', [at - 123_456, null, at - 123_456 + 7_200_000_000]],
        ms: ['timestamp', [at - 456, null, at - 123_456 + 7_200_000_000]],
        ns: ['timestamp', [at, null, at - 123_456 + 7_200_000_000]],
        local_us: ['timestamp', [at, null, at - 123_456 + 7_200_000_000]],
        local_ns: ['timestamp', [at, null, at - 123_456 + 7_200_000_000]],
        day: ['timestamp', [1_793_491_200_000_000, null, -86_400_000_000]],
        day64: ['timestamp', [1_793_491_200_000_000, null, -86_400_000_000]],
        u64: ['int64', ['9223372036854775813', null, '1']],
        i64: ['int64', [-4611686018427387905n, null, 1n]],
        u32: ['int64', [2 ** 32 - 1, 0, null]],
        f32: ['float32', [Math.fround(0.1), null, 2]],
        f16: ['float32', [0.5, null, 2]],
        flag: ['bool', [true, null, false]],
        bin: ['bytes', [Buffer.from([0, 255]), null, Buffer.alloc(0)]],
        fixed: ['bytes', [Buffer.from('ab'), null, Buffer.from('cd')]],
        dec: ['decimal(2)', ['12.34', null, '-0.05']],
        large: ['string', ['x', null, '']],
        view: ['string', ['short', null, 'a string longer than twelve bytes']],
        tags: ['string[]', [['x', 'y'], null, []]],
        ltags: ['string[]', [['x', 'y'], null, []]],
        nums: ['float64[]', [[1.5], null, [null, 2]]],
        none: ['float64', [null, null, null]],
      }
      const wanted = Object.entries(expected).map(([column, [type]]) => ({ column, type }))
      const columns = await rowsOf(fixture(name), wanted)
      const shown = columns.map((values) =>
        values.map((value) =>
          value instanceof Uint8Array ? Buffer.from(value) : typeof value === 'bigint' ? value : value,
        ),
      )
      wanted.forEach(({ column }, place) => {
        const times = expected[column]?.[0] === 'timestamp'
        const values = times
          ? shown[place]?.map((value) => (value === null ? null : Number(value)))
          : shown[place]
        expect(values, column).toEqual(expected[column]?.[1])
      })
      const opened = await arrowFiles.open(fixture(name))
      const kinds = ['event_timestamp', 'local_us', 'day'].map((column) => opened.timeColumns.get(column))
      await opened.close()
      expect(kinds).toEqual(['INSTANT', 'LOCAL', 'DATE'])
    },
  )

  it.each(['lz4.feather', 'zstd.arrow'])('whose buffers are packed is read: %s', async (name) => {
    const [shops, rain, text] = await rowsOf(fixture(name), [
      { column: 'shop_id', type: 'string' },
      { column: 'rain', type: 'float64' },
      { column: 'text', type: 'string' },
    ])
    const numbers = Array.from({ length: 300 }, (_, index) => index)
    expect(shops).toEqual(numbers.map((index) => `shop ${index % 7}`))
    expect(rain).toEqual(numbers.map((index) => index % 13))
    expect(text).toEqual(numbers.map((index) => `some text that repeats ${index % 5}`))
  })

  it('that is none, breaks off, is damaged or holds what has no column is refused, and nothing is left of it', async () => {
    const before = await temporary()
    const whole = await readFile(fixture('zstd.arrow'))
    const damaged = Buffer.from(whole)
    damaged.fill(7, 1_500, 2_500)
    const nested = tableFromArrays({ a: [{ b: 1 }] })
    const files: readonly (readonly [name: string, bytes: Uint8Array, message: RegExp])[] = [
      ['text.arrow', Buffer.from('shop_id,rain\na,1\n'), /text\.arrow cannot be read as Arrow/],
      ['empty.arrow', new Uint8Array(0), /empty\.arrow cannot be read as Arrow/],
      ['cut.arrow', whole.subarray(0, 4_000), /cut\.arrow/],
      [
        'cut-stream.arrow',
        (await readFile(fixture('stream.arrow'))).subarray(0, -2_000),
        /cut-stream\.arrow/,
      ],
      ['damaged.arrow', damaged, /damaged\.arrow/],
      ['nested.arrow', tableToIPC(nested, 'file'), /column "a" is Struct.*leave it out, or write Parquet/],
    ]
    for (const [name, bytes, message] of files) {
      const path = join(folder, name)
      await writeFile(path, bytes)
      const opening = arrowFiles.open(path)
      await expect(opening, name).rejects.toThrow(BadUserInput)
      await expect(opening, name).rejects.toThrow(message)
    }
    await expect(arrowFiles.open(join(folder, 'nowhere.arrow'))).rejects.toThrow(
      /nowhere\.arrow cannot be read/,
    )
    expect(await temporary()).toEqual(before)
  })

  it('is written of the rows of a select, in order, with their types, in record batches', async () => {
    const path = join(folder, 'written.arrow')
    const { connection, close } = await connectDuckDb()
    const select = `select i::BIGINT - 1 as i, case when i % 3 > 0 then (i % 100)::TINYINT end as small, i / 7 as x, (i / 7)::FLOAT as f,
      'text ' || i as t, i % 2 = 0 as flag, make_timestamptz(${at} + i) as at, make_timestamp(${at} + i) as local, date '2026-11-01' + i::INTEGER as day,
      (i / 4)::DECIMAL(18, 2) - 5 as dec, [i / 3, null] as list, case when i % 2 = 0 then ['a', 't' || i] end as tags, encode('b' || i) as bin,
      9223372036854775808::UBIGINT + i::UBIGINT as u, null as nothing from range(1, 33001) as r(i)`
    await connection.run(`set timezone = 'UTC'`)
    await writeArrow(connection, select, path)
    const reader = await RecordBatchReader.from(await readFile(path))
    expect([...reader].map(({ numRows }) => numRows)).toEqual([32_768, 232])
    const opened = await arrowFiles.open(path)
    try {
      const copy = `read_parquet('${opened.parquet}')`
      const digest = async (rows: string) => {
        const hashed = `select count(*)::INTEGER, bit_xor(hash(c))::VARCHAR from (select * exclude (nothing) from ${rows}) as c`
        return (await connection.runAndReadAll(hashed)).getRows()
      }
      expect(await digest(copy)).toEqual(await digest(`(${select})`))
      const order = `select count(*)::INTEGER from (select i, row_number() over () as n from ${copy}) where i <> n - 1`
      expect((await connection.runAndReadAll(order)).getRows()).toEqual([[0]])
      const types = await connection.runAndReadAll(`describe select * from ${copy}`)
      expect(Object.fromEntries(types.getRows().map(([name, type]) => [name, type]))).toMatchObject({
        ...{
          i: 'BIGINT',
          small: 'TINYINT',
          x: 'DOUBLE',
          f: 'FLOAT',
          flag: 'BOOLEAN',
          u: 'UBIGINT',
          bin: 'BLOB',
        },
        ...{ at: 'TIMESTAMP WITH TIME ZONE', local: 'TIMESTAMP', day: 'DATE', dec: 'DECIMAL(18,2)' },
        ...{ list: 'DOUBLE[]', tags: 'VARCHAR[]' },
      })
    } finally {
      await opened.close()
      close()
    }
  })
})

async function temporary(): Promise<readonly string[]> {
  return (await readdir(tmpdir())).filter((name) => /^featuregraph-arrow-[^t]/.test(name)).sort()
}
