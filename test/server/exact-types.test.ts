import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest'
import { formatTimestamp } from '../../src/definitions/timestamp.ts'
import { computeSnapshots } from '../../src/ingest/snapshots/compute-snapshots.ts'
import { createTestDatabase, type TestDatabase } from '../services/test-database.ts'
import { type Answer, startTestGateway, type TestGateway } from './start-test-gateway.ts'

const minute = 60_000_000
const id = '0A0B0C0D-0000-4000-8000-00000000000A'
const lower = id.toLowerCase()
const other = 'FFFFFFFF-ffff-4fff-bfff-ffffffffffff'

let folder: string
let database: TestDatabase
let gateway: TestGateway
beforeAll(async () => {
  ;[folder, database] = await Promise.all([
    mkdtemp(join(tmpdir(), 'featuregraph-types-')),
    createTestDatabase(),
  ])
  await mkdir(join(folder, 'schema'))
  const window = (aggregate: string, more: object = { field: 'amount' }) =>
    JSON.stringify({ aggregate, window: '30d', ...more })
  await writeFile(
    join(folder, 'schema', 'world.mjs'),
    `export const person = { kind: 'entity', name: 'person', plural: 'people', joinKeys: { person_id: 'uuid' } }
     export const payments = { kind: 'event-source', name: 'payments', eventTimestamp: 'at', fields: { person_id: 'uuid', amount: { type: 'decimal(2)', expect: { max: 1e6, action: 'quarantine' } } } }
     const features = {
       total: ${window('sum')}, average: ${window('mean')}, most: ${window('max')}, newest: ${window('last')},
       dimes: ${window('count', { where: { amount: 0.1 } })} }
     const view = { kind: 'windowed-view', entity: 'person', source: 'payments', compute: { mode: 'stream' }, features }
     export const recent = { ...view, name: 'recent' }
     export const snapshots = { ...view, name: 'snapshots', compute: { mode: 'batch', every: '1m' }, online: false }
     export const wallet = { kind: 'feature-view', name: 'wallet', entity: 'person', features: { balance: 'decimal(2)', device: 'uuid' } }
     const pick = (view, ...names) => ({ kind: 'pick', view, features: names.map((name) => ({ name })) })
     export const scoring = { kind: 'feature-service', name: 'scoring', features: [pick('recent', 'total'), pick('wallet', 'balance')] }`,
  )
  gateway = await startTestGateway({
    offlineUrl: database.url,
    onlineUrl: inject('redisUrl'),
    settings: { SCHEMA: join(folder, 'schema'), WORKER: 'true' },
  })
})
afterAll(async () => {
  await gateway?.close()
  await Promise.all([rm(folder, { recursive: true, force: true }), database?.drop()])
})

/** What is said of each line. */
async function post(path: string, lines: readonly object[]): Promise<readonly object[]> {
  const response = await fetch(`${gateway.url}/${path}`, {
    method: 'POST',
    headers: { 'content-type': 'application/x-ndjson' },
    body: lines.map((line) => JSON.stringify(line)).join('\n'),
  })
  const text = await response.text()
  return text
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line))
    .slice(0, lines.length)
}

const personQuery = `query ($id: String!, $asOf: Timestamp) {
  person(personId: $id, asOf: $asOf) { personId recent { total average most newest dimes } wallet { balance device } snapshots { total average } } }`

/** The first time by graphql-js, then compiled; both write the same bytes. */
async function askTwice(query: string, variables: Readonly<Record<string, unknown>>): Promise<Answer> {
  const first = await gateway.ask(query, variables)
  const second = await gateway.ask(query, variables)
  expect(second.text).toBe(first.text)
  return second
}

describe('decimals and UUIDs in a gateway', () => {
  it('are taken in every form that is exact, summed without loss and answered with their own digits on both clocks', async () => {
    const now = Math.floor(Date.now() / 60_000) * minute
    const at = (ago: number) => formatTimestamp(now - ago * minute)
    const amounts = [0.1, '0.10', 0.1, '456535.21', 1.005, 12_345_678_901_234.56, '-0.00']
    const reported = await post(
      'events/payments',
      amounts.map((amount, index) => ({
        at: at(20 - index),
        person_id: index % 2 === 0 ? id : lower,
        amount,
      })),
    )
    const problem = 'an event of source "payments" does not fit: amount: expected a decimal(2)'
    expect(reported).toMatchObject([
      ...Array(4).fill({ accepted: true }),
      { code: 'INVALID_EVENT', message: `${problem}: at most 2 digits behind the point, got 1.005` },
      {
        code: 'INVALID_EVENT',
        message: `${problem} of more than 15 digits as text, since a JSON number could be rounded, got 12345678901234.56`,
      },
      { accepted: true },
    ])
    expect(await post('events/payments', [{ at: at(1), person_id: `${id}0`, amount: 1 }])).toMatchObject([
      { code: 'INVALID_EVENT', message: expect.stringContaining('person_id: expected a UUID, as 123e4567') },
    ])
    expect(await post('events/payments', [{ at: at(1), person_id: id, amount: 1_000_000.01 }])).toMatchObject(
      [{ code: 'QUARANTINED', message: 'amount: Value 1000000.01 above maximum 1000000' }],
    )
    const pushed = { personId: id, eventTimestamp: at(2), balance: 456_535.51, device: id }
    const { data } = await gateway.ask(
      'mutation ($rows: [WalletPush!]!) { pushWallet(rows: $rows) { accepted rows { online message } } }',
      { rows: [pushed, { ...pushed, balance: 0.125 }] },
    )
    expect(data.pushWallet).toMatchObject({
      accepted: 1,
      rows: [{ online: 'WRITTEN' }, { message: expect.stringContaining('at most 2 digits behind') }],
    })
    const snapshots = gateway.gateway.registry.views.find(({ name }) => name === 'snapshots')
    if (snapshots?.kind !== 'BATCH') throw new Error('no batch view')
    await computeSnapshots(
      { ...gateway.gateway.stores, clock: () => now },
      snapshots,
      { kind: 'TIMES', times: [now] },
      { createdAfterMicros: null, onWait: () => {}, onProgress: () => {} },
    )

    const recent = '"recent":{"total":456535.51,"average":91307.102,"most":456535.21,"newest":0,"dimes":3}'
    const wallet = `"wallet":{"balance":456535.51,"device":"${lower}"}`
    const batch = '"snapshots":{"total":456535.51,"average":91307.102}'
    const whole = `{"data":{"person":{"personId":"${lower}",${recent},${wallet},${batch}}}}`
    await expect
      .poll(async () => (await gateway.ask(personQuery, { id })).text)
      .toContain(`${recent},${wallet}`)
    for (const key of [id, lower]) {
      const then = { id: key, asOf: formatTimestamp(now + minute) }
      expect((await askTwice(personQuery, then)).text).toBe(whole)
      expect((await askTwice(personQuery, { id: key })).text).toContain(`${recent},${wallet}`)
    }
    const served = await askTwice(
      'query ($id: String!) { scoring(keys: [{ personId: $id }]) { vector total } }',
      { id },
    )
    expect(served.data.scoring).toEqual([{ vector: [456_535.51, 456_535.51], total: 456_535.51 }])
    // Beyond 15 digits an answer is the Float next to the value.
    const rich = { person_id: other, event_timestamp: at(1), balance: '12345678901234567.89', device: null }
    expect(await post('push/wallet', [rich])).toMatchObject([{ accepted: true, online: 'WRITTEN' }])
    for (const asOf of [null, formatTimestamp(now + minute)]) {
      const { data: answer } = await askTwice(personQuery, { id: other, asOf })
      expect(answer.person.wallet).toEqual({ balance: 12_345_678_901_234_568, device: null })
    }
    const types = await gateway.ask('{ featureViews { name features { name type } } }')
    expect(types.text).toContain('{"name":"total","type":"decimal(2)"}')
    const refused = await gateway.ask(personQuery, { id: 'x' })
    expect(refused.errors).toMatchObject([
      { message: 'personId: expected a UUID, as 123e4567-e89b-12d3-a456-426614174000' },
    ])
  })

  it('are deleted with the person, whatever case the key is asked in, quarantined rows too', async () => {
    const deletion = 'mutation ($id: String!) { deletePerson(personId: $id) { counts { place rows } } }'
    const { data, errors } = await gateway.ask(deletion, { id })
    expect(errors).toBeUndefined()
    const counts: readonly { readonly place: string; readonly rows: number }[] = data.deletePerson.counts
    expect(
      Object.fromEntries(counts.map(({ place, rows }) => [place.replace(/_t\w+\./, '.'), rows])),
    ).toMatchObject({
      'events.payments': 5,
      'features.wallet': 1,
      quarantine: 1,
    })
    const answer = await gateway.ask(personQuery, { id: lower })
    expect(answer.data.person).toMatchObject({ recent: { total: 0 }, wallet: { balance: null } })
  })
})
