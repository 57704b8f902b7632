import { entity, eventSource, stream, sum, windowedView } from 'featuregraph'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type ImportWorld, importWorld } from './import-world.ts'

const person = entity('person', { joinKeys: { person_id: 'uuid' } })
const payments = eventSource('payments', {
  eventTimestamp: 'at',
  fields: { person_id: 'uuid', amount: 'decimal(2)' },
})
const recent = windowedView('recent', {
  entity: person,
  source: payments,
  compute: stream(),
  features: { total: sum('amount', '30d') },
})

const prices = eventSource('prices', {
  eventTimestamp: 'at',
  fields: {
    person_id: 'uuid',
    money: 'decimal(2)',
    longer: 'decimal(2)',
    large: 'decimal(2)',
    small: 'decimal(2)',
    wide: 'decimal(2)',
    narrow: 'decimal(2)',
    text: 'decimal(2)',
  },
})

const id = '0A0B0C0D-0000-4000-8000-00000000000A'
const lower = id.toLowerCase()
const at = '2026-11-22T10:00:00Z'

let world: ImportWorld
beforeAll(async () => {
  world = await importWorld([person, payments, recent, prices])
})
afterAll(async () => {
  await world?.close()
})

/** The events that a file left, as Postgres prints them, and the reasons of what was quarantined. */
async function imported(path: string): Promise<{ readonly kept: unknown; readonly reasons: unknown }> {
  await world.pool.query('truncate events.payments; truncate featuregraph.quarantine')
  await world.importFile('payments', path)
  const kept = await world.rows('select person_id, amount from events.payments order by "offset"')
  const reasons = await world.rows('select reason from featuregraph.quarantine order by id')
  return { kept, reasons: reasons.flat() }
}

const tooMany = 'amount: expected a decimal(2): at most 2 digits behind the point, got'
const noUuid = 'person_id: expected a UUID, as 123e4567-e89b-12d3-a456-426614174000, got'

describe('decimals and UUIDs in files', () => {
  it('of CSV are read from their text, to the last digit', async () => {
    const amounts = ['12.34', '12345678901234567.89', '-5', '+0.500', '1e3', 'NaN', '', '1.005', '"1,5"']
    const lines = amounts.map((amount) => `${at},${id},${amount}`)
    const path = await world.file(
      'a.csv',
      ['at,person_id,amount', ...lines, `${at},${id.slice(1)},1`].join('\n'),
    )
    const { kept, reasons } = await imported(path)
    const read = ['12.34', '12345678901234567.89', '-5.00', '0.50', '1000.00', null, null]
    expect(kept).toEqual(read.map((amount) => [lower, amount]))
    expect(reasons).toEqual([
      `${tooMany} "1.005"`,
      'amount: expected a decimal(2): a number, or its text, with at most 2 digits behind the point, got "1,5"',
      `${noUuid} "${id.slice(1)}"`,
    ])
  })

  it('of NDJSON are numbers or text', async () => {
    const line = (amount: string) => `{"at":"${at}","person_id":"${id}","amount":${amount}}`
    const amounts = ['12.34', '"12345678901234567.89"', '9007199254740993', 'null', '0.30000000000000004']
    const { kept, reasons } = await imported(await world.file('a.ndjson', amounts.map(line).join('\n')))
    const read = ['12.34', '12345678901234567.89', '9007199254740993.00', null]
    expect(kept).toEqual(read.map((amount) => [lower, amount]))
    expect(reasons).toEqual([`${tooMany} 0.30000000000000004`])
  })

  it('of Parquet columns of any kind of number become the same', async () => {
    const columns = {
      money: ['decimal(18, 2)', '1234567890123456.78', '1234567890123456.78'],
      longer: ['decimal(30, 4)', '12.3400', '12.34'],
      large: ['bigint', '9007199254740993', '9007199254740993.00'],
      small: ['smallint', '-7', '-7.00'],
      wide: ['double', '456535.51', '456535.51'],
      narrow: ['float', '12.34', '12.34'],
      text: ['varchar', '12.34', '12.34'],
    } as const
    const names = Object.keys(columns)
    const values = Object.entries(columns).map(([name, [type, value]]) => `'${value}'::${type} as ${name}`)
    const query = `select timestamptz '${at}' as at, uuid '${id}' as person_id, ${values.join(', ')}`
    await world.importFile('prices', await world.parquet('prices.parquet', query))
    const kept = await world.rows(`select person_id, ${names.join(', ')} from events.prices`)
    expect(kept).toEqual([[lower, ...Object.values(columns).map(([, , read]) => read)]])
  })
})
