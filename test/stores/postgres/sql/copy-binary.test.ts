import { pipeline } from 'node:stream/promises'
import fc from 'fast-check'
import type pg from 'pg'
import { from as copyFrom, to as copyTo } from 'pg-copy-streams'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Value } from '../../../../src/definitions/value.ts'
import { type ValueType, valueTypes } from '../../../../src/definitions/value-type.ts'
import { sqlType } from '../../../../src/stores/postgres/sql/column-type.ts'
import {
  copyDecoder,
  copyEncoder,
  copyHeader,
  copyTrailer,
} from '../../../../src/stores/postgres/sql/copy-binary.ts'
import { arbitraryValue } from '../../../contract/arbitrary-value.ts'
import { createTestDatabase, type TestDatabase } from '../../../services/test-database.ts'
import { testPool } from '../../../services/test-pool.ts'

const types: readonly ValueType[] = valueTypes

describe("rows in COPY's binary format", () => {
  let database: TestDatabase
  let pool: pg.Pool

  beforeAll(async () => {
    database = await createTestDatabase()
    pool = testPool(database.url)
    const columns = types.map((type, index) => `c${index} ${sqlType(type)}`).join(', ')
    await pool.query(`create table everything (place int, ${columns})`)
  })
  afterAll(async () => {
    await pool.end()
    await database.drop()
  })

  it('go into Postgres and come back as they were, every type and null, in pieces of any size', async () => {
    const row = fc.tuple(...types.map((type) => fc.option(arbitraryValue(type))))
    await fc.assert(
      fc.asyncProperty(
        fc.array(row, { maxLength: 30 }),
        fc.integer({ min: 1, max: 400 }),
        async (rows, pieceBytes) => {
          await pool.query('truncate everything')
          await copyIn(pool, rows)
          expect(await copyOut(pool, pieceBytes)).toEqual(rows)
        },
      ),
      { numRuns: 40 },
    )
  })
})

async function copyIn(pool: pg.Pool, rows: readonly (readonly (Value | null)[])[]): Promise<void> {
  const encoder = copyEncoder(['int32', ...types])
  for (const [place, row] of rows.entries()) encoder.add([place, ...row])
  const bytes = Buffer.concat([copyHeader(), encoder.take(), copyTrailer()])
  expect(encoder.size()).toBe(0)
  const client = await pool.connect()
  try {
    await pipeline([bytes], client.query(copyFrom('copy everything from stdin (format binary)')))
  } finally {
    client.release()
  }
}

async function copyOut(pool: pg.Pool, pieceBytes: number): Promise<(Value | null)[][]> {
  const columns = types.map((_, index) => `c${index}`).join(', ')
  const client = await pool.connect()
  try {
    const stream = client.query(
      copyTo(`copy (select ${columns} from everything order by place) to stdout (format binary)`),
    )
    const decoder = copyDecoder(types)
    const rows: (Value | null)[][] = []
    for await (const chunk of stream as AsyncIterable<Buffer>) {
      for (let start = 0; start < chunk.length; start += pieceBytes)
        rows.push(...decoder.decode(chunk.subarray(start, start + pieceBytes)))
    }
    return rows
  } finally {
    client.release()
  }
}
