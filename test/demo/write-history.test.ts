import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Micros, parseTimestamp } from '../../src/definitions/timestamp.ts'
import { dayMicros } from '../../src/demo/transactions.ts'
import { writeHistory } from '../../src/demo/write-history.ts'

const beginning = parseTimestamp('2026-08-15T00:00:00Z') ?? Number.NaN
const end = beginning + 3 * dayMicros

let folder: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'demo-history-'))
})
afterAll(() => rm(folder, { recursive: true, force: true }))

async function written(from: Micros, to: Micros): Promise<string> {
  const file = join(folder, 'transactions.ndjson')
  await writeHistory(file, 1, { from, to }, () => {})
  return await readFile(file, 'utf8')
}

const lines = (text: string): readonly string[] => text.trimEnd().split('\n').sort()

describe("the demo's history", () => {
  it('holds every transaction once however the time is split, and the same span the same bytes', async () => {
    const whole = await written(beginning, end)
    expect(whole).toBe(await written(beginning, end))
    const cuts = [beginning, beginning + 7_000_000_001, beginning + dayMicros, end - 1, end]
    let parts = ''
    for (const [index, to] of cuts.slice(1).entries()) parts += await written(cuts[index] ?? beginning, to)
    expect(lines(parts)).toEqual(lines(whole))
    expect(lines(parts).length).toBeGreaterThan(3_000)
  })

  it('gives every transaction an id of its own', async () => {
    const ids = lines(await written(beginning, end)).map(
      (line) => (JSON.parse(line) as { transaction_id: string }).transaction_id,
    )
    expect(new Set(ids).size).toBe(ids.length)
  })
})
