import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Micros, parseTimestamp } from '../../src/definitions/timestamp.ts'
import { writeDemoFiles } from '../../src/demo/demo-files.ts'
import { dayMicros } from '../../src/demo/transactions.ts'

const beginning = parseTimestamp('2026-08-15T00:00:00Z') ?? Number.NaN
const end = beginning + 3 * dayMicros

let folder: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'demo-files-'))
})
afterAll(() => rm(folder, { recursive: true, force: true }))

async function written(from: Micros, to: Micros, renewedAt = new Map<number, Micros>()) {
  const files = await writeDemoFiles(folder, 1, { beginning, from, to }, renewedAt, () => {})
  const [transactions = '', realtime = ''] = await Promise.all(
    [files.transactions, files.realtime].map((file) => readFile(file, 'utf8')),
  )
  return { transactions, realtime }
}

const lines = (text: string): readonly string[] => text.trimEnd().split('\n').sort()

describe("the demo's files", () => {
  it('hold every transaction once however the time is split, and the same span the same bytes', async () => {
    const whole = await written(beginning, end)
    expect(whole.transactions).toBe((await written(beginning, end)).transactions)
    const cuts = [beginning, beginning + 7_000_000_001, beginning + dayMicros, end - 1, end]
    const parts = await cuts
      .slice(1)
      .reduce<Promise<string>>(
        async (text, to, index) => (await text) + (await written(cuts[index] ?? beginning, to)).transactions,
        Promise.resolve(''),
      )
    expect(lines(parts)).toEqual(lines(whole.transactions))
    expect(lines(parts).length).toBeGreaterThan(3_000)
  })

  it('hold a row of every customer that is not an hour old, renewed from one span to the next', async () => {
    const renewedAt = new Map<number, Micros>()
    const first = await written(beginning, end, renewedAt)
    const second = await written(end, end + dayMicros / 24, renewedAt)
    for (const [text, to] of [
      [first.realtime, end],
      [second.realtime, end + dayMicros / 24],
    ] as const) {
      const newest = new Map<number, Micros>()
      for (const line of lines(text)) {
        const row = JSON.parse(line) as { customer_id: number; event_timestamp: string }
        const time = parseTimestamp(row.event_timestamp) ?? 0
        newest.set(row.customer_id, Math.max(newest.get(row.customer_id) ?? 0, time))
      }
      expect(newest.size).toBe(1_000)
      expect(Math.min(...newest.values())).toBeGreaterThan(to - dayMicros / 24)
    }
  })
})
