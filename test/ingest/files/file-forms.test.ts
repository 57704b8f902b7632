import { mkdir } from 'node:fs/promises'
import { dirname } from 'node:path'
import { batch, count, entity, eventSource, featureView, fileSource, windowedView } from 'featuregraph'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { BadUserInput } from '../../../src/errors.ts'
import { filesToImport } from '../../../src/ingest/files/file-format.ts'
import { isPastLimit, parseQuarantineLimit } from '../../../src/ingest/files/quarantine-limit.ts'
import { everyType } from './import-definitions.ts'
import { importWorld } from './import-world.ts'

const shop = entity('shop', { joinKeys: { shop_id: 'string' } })
const sales = (options: object, price: object = {}) => {
  const source = eventSource('sales', {
    eventTimestamp: 'ts',
    ...options,
    fields: { shop_id: 'string', price: { type: 'float64', ...price }, tag: 'string' },
  })
  const features = { n: count('30d') }
  return [
    shop,
    source,
    windowedView('sales_counts', { entity: shop, source, compute: batch({ every: '1d' }), features }),
  ]
}
const receipts = (options: object) => {
  const source = eventSource('receipts', {
    ...{ eventTimestamp: 'ts', eventId: 'id', ...options, fields: { shop_id: 'string', price: 'float64' } },
  })
  const features = { n: count('30d') }
  return [
    source,
    windowedView('receipt_counts', { entity: shop, source, compute: batch({ every: '1d' }), features }),
  ]
}
const profile = (options: object) =>
  featureView('shop_profile', {
    entity: shop,
    source: fileSource('profiles', { eventTimestamp: 'ts', ...options }),
    features: { size: 'int32', country: 'string' },
  })
const everything = featureView('everything', {
  entity: shop,
  source: fileSource('everythings', { eventTimestamp: 'ts', dates: true }),
  features: everyType,
})

let world: Awaited<ReturnType<typeof importWorld>>
beforeAll(async () => {
  world = await importWorld([...sales({}), ...receipts({}), profile({}), everything])
})
afterAll(() => world?.close())

const lines = (...rows: readonly string[]): string => `${rows.join('\n')}\n`
const inFolder = async (name: string, content: string): Promise<string> => {
  const path = await world.file('x', '')
  await mkdir(dirname(`${dirname(path)}/${name}`), { recursive: true })
  return await world.file(name, content)
}
const soldBy = (name: string) =>
  world.rows(`select price, tag from events.sales where shop_id = '${name}' order by price nulls last`)
const reasonsOf = async (file: string) =>
  (
    await world.rows(`select reason from featuregraph.quarantine where file = '${file}' order by row_number`)
  ).flat()

describe('columns that hold nothing', () => {
  it('are null for every type, and lists that are empty in every row are empty lists, or null', async () => {
    const names = Object.keys(everyType)
    const nulls = names.map((name) => `null::integer as ${name}`)
    const empty = names.map((name) => `[]::integer[] as ${name}`)
    const row = (key: string, columns: readonly string[]) =>
      `select '2026-11-20' as ts, '${key}' as shop_id, ${columns.join(', ')}`
    await world.importFile('everythings', await world.parquet('nulls.parquet', row('nulls', nulls)))
    await world.importFile('everythings', await world.parquet('empty.parquet', row('empty', empty)))
    const stored = await world.rows(`select ${names.join(', ')} from features.everything order by shop_id`)
    const types: readonly string[] = Object.values(everyType)
    expect(stored).toEqual([types.map((type) => (type.endsWith('[]') ? [] : null)), types.map(() => null)])
    const held = await world.parquet(
      'held.parquet',
      row('held', ['1 as a_string', ...nulls.slice(0, 4), ...nulls.slice(5)]),
    )
    await expect(world.importFile('everythings', held)).rejects.toThrow(
      /column "a_string" is INTEGER, which cannot become string/,
    )
  })
})

describe('text that is not plain CSV in UTF-8', () => {
  const csv = lines('ts,shop_id,price,tag', '2026-11-01T08:00:00Z,café,1,x')

  it('names UTF-16, Latin-1, gzip and Parquet, and what to do', async () => {
    const refused = async (name: string, content: Buffer): Promise<string> => {
      const half = { maxQuarantined: { kind: 'SHARE', share: 0.5 } } as const
      return await world.importFile('sales', await world.file(name, content), half).then(String, String)
    }
    const utf16 = Buffer.from(csv, 'utf16le')
    expect(await refused('mark.csv', Buffer.concat([Buffer.from([0xff, 0xfe]), utf16]))).toMatch(
      /mark\.csv is UTF-16; expected UTF-8: convert it, as iconv -f UTF-16 -t UTF-8 .*mark\.csv > utf8-mark\.csv/,
    )
    expect(await refused('plain.csv', utf16)).toContain('plain.csv is UTF-16LE; expected UTF-8')
    expect(await refused('latin.csv', Buffer.from(csv, 'latin1'))).toMatch(
      /row 1: line 2: not UTF-8 behind ".*,caf"; if the file is Latin-1 \(Windows-1252\), convert it: iconv -f WINDOWS-1252 -t UTF-8/,
    )
    expect(await refused('head.csv', Buffer.from('ts,prix payé\n', 'latin1'))).toContain(
      'the header line is not UTF-8',
    )
    expect(await refused('latin.json', Buffer.from('[{"shop_id":"café"}]', 'latin1'))).toContain(
      'is not UTF-8; if',
    )
    expect(await refused('packed.csv', Buffer.from('1f8b0800', 'hex'))).toContain('is packed by gzip')
    expect(await refused('parquet.csv', Buffer.from('PAR1'))).toContain('import it with --format parquet')
  })

  it('has decimal commas, where the source says so', async () => {
    const file = await world.file(
      'comma.csv',
      lines('ts;shop_id;price;tag', '2026-11-01T08:00:00Z;comma;1,5;a', '2026-11-01T08:00:00Z;comma;1.5;b'),
    )
    await world.importFile('sales', file)
    expect(await reasonsOf(file)).toEqual([
      'price: expected a number, got "1,5" (a decimal comma is read with decimalComma: true on the source)',
    ])
    const other = await world.file(
      'comma-2.csv',
      lines(
        'ts;shop_id;price;tag',
        '2026-11-01T08:00:00Z;comma;2,5;a',
        '2026-11-01T08:00:00Z;comma;1.000,5;b',
      ),
    )
    await world.importBy(sales({ decimalComma: true }), 'sales', other)
    expect(await reasonsOf(other)).toEqual(['price: expected a number with a decimal comma, got "1.000,5"'])
    expect(await soldBy('comma')).toEqual([
      [1.5, 'b'],
      [2.5, 'a'],
    ])
  })
})

describe('JSON', () => {
  const row = (id: string, price: string, more = ''): string =>
    `{"ts":"2026-11-01T08:00:00Z","shop_id":"${id}","price":${price}${more}}`

  it('may be one array, of which a broken element costs only itself, or lines under the same name', async () => {
    const rows = [
      row('array', '1', ',"tag":"a]},{\\""'),
      '{"ts":oops}',
      '5',
      row('array', 'NaN', ',"tag":"NaN"'),
    ]
    const file = await world.file('array.json', `\ufeff [\n${rows.join(',\n ')}]\n`)
    expect(await world.importFile('sales', file)).toMatchObject([{ read: 4, stored: 2 }])
    expect(await soldBy('array')).toEqual([
      [1, 'a]},{"'],
      [null, 'NaN'],
    ])
    expect(await reasonsOf(file)).toEqual([
      'not JSON',
      'expected a JSON object, as every element of the array',
    ])
    const open = await world.file('open.json', `[${row('open', '1')},${row('open', '2').slice(0, -1)}`)
    await world.importFile('sales', open)
    expect([await soldBy('open'), await reasonsOf(open)]).toEqual([
      [[1, null]],
      ['the array does not end behind it'],
    ])
    await world.importFile(
      'sales',
      await world.file('lines.json', lines(row('lines', '1'), row('lines', '2'))),
    )
    expect(await soldBy('lines')).toHaveLength(2)
  })

  it('has null marks in text where a number is expected', async () => {
    const file = await world.file(
      'marks.ndjson',
      lines(row('marks', '"NULL"'), row('marks', '"1"'), row('marks', '1e400')),
    )
    await world.importFile('sales', file)
    expect(await soldBy('marks')).toEqual([[null, null]])
    expect(await reasonsOf(file)).toEqual([
      'price: expected a number, got "1"',
      'price: expected a finite float64, got "Infinity"',
    ])
  })

  it('is quarantined where it is nested too deeply, in whatever field', async () => {
    const deep = (open: string, close: string): string => `${open.repeat(200_000)}1${close.repeat(200_000)}`
    const file = await world.file(
      'deep.ndjson',
      lines(
        row('deep', deep('[', ']')),
        row('deep', deep('{"a":', '}')),
        row('deep', '1234567890123456', `,"other":${deep('[', ']')}`),
        row('deep', '3', `,"other":${'['.repeat(31)}${']'.repeat(31)}`),
      ),
    )
    expect(await world.importFile('sales', file)).toMatchObject([
      { stored: 1, quarantined: { MALFORMED: 3 } },
    ])
    expect([...new Set(await reasonsOf(file))]).toEqual(['JSON may be nested at most 32 levels deep'])
    expect(await soldBy('deep')).toEqual([[3, null]])
  })

  it('is read by the format that is named, whatever the name is', async () => {
    const file = await world.file('part-00000', lines(row('odd', '1')))
    await expect(world.importFile('sales', file)).rejects.toThrow(
      /its name says no format; expected one of .*--format parquet\|csv\|ndjson\|json/,
    )
    await world.importFile('sales', file, { format: 'ndjson' })
    expect(await soldBy('odd')).toEqual([[1, null]])
  })
})

describe('folders', () => {
  it('are read as a whole: nested, without hidden files, and with what has no format passed over', async () => {
    const csv = (size: number) => lines('ts,shop_id,size', `2026-11-01T08:00:00Z,folder,${size}`)
    const [first] = await Promise.all([
      inFolder('set/country=DE/a.csv', csv(1)),
      // The same bytes of another country are another file.
      inFolder('set/country=FR/part=1/a.csv', csv(1)),
      inFolder('set/country=__HIVE_DEFAULT_PARTITION__/a.csv', csv(2)),
      inFolder('set/country=a%20b/_temporary/a.csv', csv(3)),
      inFolder('set/.hidden.csv', csv(4)),
      inFolder('set/_SUCCESS', ''),
      inFolder('set/README.txt', ''),
    ])
    const folder = dirname(dirname(first))
    const { files, passedOver } = filesToImport(folder, await world.files.find(folder), null)
    expect(passedOver).toEqual([`${folder}/README.txt`])
    for (const file of [...files, ...files]) await world.importFile('profiles', file)
    const stored = `select size, country from features.shop_profile where shop_id = 'folder' order by size, country`
    expect(await world.rows(stored)).toEqual([
      [1, 'DE'],
      [1, 'FR'],
      [2, null],
    ])
    expect(filesToImport(folder, await world.files.find(`${folder}/**`), null).files).toEqual(files)
    expect((await world.files.find(`${folder}/.h*`)).files).toEqual([`${folder}/.hidden.csv`])
    expect((await world.files.find(`${folder}/*/_temporary/*.csv`)).files).toHaveLength(1)
  })
})

describe('--max-quarantined', () => {
  it.each([
    ['10%', 10, 100, false],
    ['10%', 11, 100, true],
    ['0.5', 1, 2, false],
    ['0.5', 1, 1, true],
    ['1', 1, 1, false],
    ['0', 1, 100, true],
  ] as const)('%s: %i of %i rows', (text, quarantined, read, isPast) => {
    expect(isPastLimit(parseQuarantineLimit(text), quarantined, read)).toBe(isPast)
  })

  it.each(['', 'half', '150%', '-1', '1.5'])('refuses %j', (text) => {
    expect(() => parseQuarantineLimit(text)).toThrow(BadUserInput)
  })
})

describe('a file that comes again', () => {
  const state = (name: string) =>
    world.rows(
      `select times, rows_read::int, rows_kept::int from featuregraph.imports where file like '%/${name}'`,
    )

  it('after its source has changed, brings the events that were not stored, at a topic of their own', async () => {
    const file = await world.file(
      'again.ndjson',
      lines(
        '{"ts":1793520000000,"shop_id":"again","price":1}',
        '{"ts":"2026-11-01T08:00:00Z","shop_id":"again","price":2}',
        '{"shop_id":"again"}',
      ),
    )
    expect(await world.importFile('sales', file)).toMatchObject([
      { stored: 1, quarantined: { TIMESTAMP: 2 } },
    ])
    expect(await world.importFile('sales', file)).toMatchObject([{ status: 'ALREADY_IMPORTED' }])
    const changed = sales({ unit: 'ms' })
    const expected = [
      { status: 'IMPORTED', read: 3, stored: 1, storedBefore: 1, quarantined: { TIMESTAMP: 1 } },
    ]
    expect(await world.importBy(changed, 'sales', file, { dryRun: true })).toMatchObject(expected)
    expect(await world.importBy(changed, 'sales', file)).toMatchObject(expected)
    expect(await world.importBy(changed, 'sales', file)).toMatchObject([{ status: 'ALREADY_IMPORTED' }])
    const stored = `select e.price, e."offset"::int, regexp_replace(t.topic, '[0-9a-f]{64}', 'digest') from events.sales as e
      join featuregraph.event_topics as t on t.id = e.topic_id where shop_id = 'again' order by 1`
    expect(await world.rows(stored)).toEqual([
      [1, 1, 'file:digest:2'],
      [2, 2, 'file:digest'],
    ])
    expect(await reasonsOf(file)).toEqual(['event timestamp: missing'])
    expect(await state('again.ndjson')).toEqual([[2, 3, 2]])
  })

  it('after an expectation has changed, if rows were left out, and not else', async () => {
    const expecting = sales({}, { expect: { max: 10, action: 'quarantine' } })
    const csv = (...prices: readonly number[]) =>
      lines('ts,shop_id,price,tag', ...prices.map((price) => `2026-11-01T08:00:00Z,expected,${price},`))
    const [all, some] = [await world.file('all.csv', csv(1, 2)), await world.file('some.csv', csv(3, 30))]
    for (const file of [all, some]) await world.importBy(expecting, 'sales', file)
    expect(await world.importFile('sales', all)).toMatchObject([{ status: 'ALREADY_IMPORTED' }])
    expect(await world.importFile('sales', some)).toMatchObject([{ stored: 1, storedBefore: 1 }])
    expect(await soldBy('expected')).toHaveLength(4)
  })

  it('with ids goes by chunks again, and counts each id once', async () => {
    const rows = Array.from({ length: 1_500 }, (_, index) => {
      const ts = index % 2 === 0 ? '1793520000' : '"2026-11-01T08:00:00Z"'
      return `{"ts":${ts},"id":${index % 1_400},"shop_id":"ids","price":1}`
    })
    const file = await world.file('ids.ndjson', lines(...rows))
    expect(await world.importFile('receipts', file)).toMatchObject([{ stored: 750 }])
    const again = await world.importBy([shop, ...receipts({ unit: 's' })], 'receipts', file)
    expect(again).toMatchObject([{ stored: 750, storedBefore: 750, quarantined: {} }])
    const counted = `select count(*)::int, count(*) filter (where counts)::int from events.receipts`
    expect(await world.rows(counted)).toEqual([[1_500, 1_400]])
    expect(await state('ids.ndjson')).toEqual([[2, 1_500, 1_500]])
  })

  it('of feature rows brings all of them: a later row of the same times wins', async () => {
    const file = await world.file(
      'rows.csv',
      lines('ts,shop_id,size,country', '2026-11-01,rows,5,DE', '2026-11-01T00:00:00Z,rows,6,DE'),
    )
    await world.importFile('profiles', file)
    expect(await world.importBy([shop, profile({ dates: true })], 'profiles', file)).toMatchObject([
      { stored: 2, storedBefore: 0 },
    ])
    expect(
      await world.rows(`select size from features.shop_profile where shop_id = 'rows' order by row_id`),
    ).toEqual([[6], [5], [6]])
    expect(await reasonsOf(file)).toEqual([])
  })

  it('is refused as a whole before any of its tables has a row', async () => {
    const half = { maxQuarantined: { kind: 'SHARE', share: 0.5 } } as const
    const rows = Array.from(
      { length: 3_000 },
      (_, index) =>
        `{"ts":${index < 1_400 ? '"2026-11-01T08:00:00Z"' : 5},"id":"h${index}","shop_id":"half"}`,
    )
    const file = await world.file('half.ndjson', lines(...rows))
    await expect(world.importFile('receipts', file, half)).rejects.toThrow(
      /1600 of 3000 rows read would be quarantined/,
    )
    expect(await world.rows(`select 1 from events.receipts where shop_id = 'half'`)).toEqual([])
    expect(await state('half.ndjson')).toEqual([])
    expect(await reasonsOf(file)).toEqual([])
  })
})
