import fc from 'fast-check'
import type pg from 'pg'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Value } from '../../../../src/definitions/value.ts'
import { type ValueType, valueTypes } from '../../../../src/definitions/value-type.ts'
import { copyOutEach } from '../../../../src/stores/postgres/sql/binary-row.ts'
import { sqlType } from '../../../../src/stores/postgres/sql/column-type.ts'
import { copyRows } from '../../../../src/stores/postgres/sql/copy-rows.ts'
import { arbitraryValue } from '../../../contract/arbitrary-value.ts'
import { createTestDatabase, type TestDatabase } from '../../../services/test-database.ts'
import { testPool } from '../../../services/test-pool.ts'

const types: readonly ValueType[] = valueTypes

describe('rows of COPY that are read where they stand', () => {
  let database: TestDatabase
  let pool: pg.Pool
  let client: pg.PoolClient

  beforeAll(async () => {
    database = await createTestDatabase()
    pool = testPool(database.url, 1)
    client = await pool.connect()
    const columns = types.map((type, index) => `c${index} ${sqlType(type)}`).join(', ')
    await client.query(`create temporary table everything (place int, ${columns})`)
  })
  afterAll(async () => {
    client.release()
    await pool.end()
    await database.drop()
  })

  it('have every value and null of every type', async () => {
    const row = fc.tuple(...types.map((type) => fc.option(arbitraryValue(type))))
    await fc.assert(
      fc.asyncProperty(fc.array(row, { maxLength: 30 }), async (rows) => {
        await client.query('truncate everything')
        const copy = copyRows(client, 'everything', ['int32', ...types])
        for (const [place, values] of rows.entries()) copy.add([place, ...values])
        await copy.end()
        const found: (Value | null)[][] = []
        const columns = types.map((_, index) => `c${index}`).join(', ')
        const sql = { text: `select ${columns} from everything order by place`, values: [] }
        await copyOutEach(client, sql, types, (read) => {
          found.push(types.map((_, column) => read.value(column)))
          types.forEach((_, column) => {
            expect(read.isNull(column)).toBe(read.value(column) === null)
          })
        })
        expect(found).toEqual(rows)
      }),
      { numRuns: 20 },
    )
  })

  it('are all there of many, whatever pieces the socket makes of them, with texts that are larger than a piece', async () => {
    const sql = {
      text: `select i, i * 1.5::float8, i * 10000000000::int8, case when i % 5000 = 0 then repeat(i::text || ' ', 40000) else 'short' end
        from generate_series(1, 20000) as i`,
      values: [],
    }
    const sums = { rows: 0, integers: 0, floats: 0, large: 0, characters: 0 }
    await copyOutEach(client, sql, ['int32', 'float64', 'int64', 'string'], (row) => {
      sums.rows += 1
      sums.integers += row.integer(0)
      sums.floats += row.float64(1)
      sums.large += row.safeInteger(2)
      sums.characters += String(row.value(3)).length
    })
    const total = 20_000 * 20_001 * 0.5
    expect(sums).toEqual({
      ...{ rows: 20_000, integers: total, floats: total * 1.5, large: total * 10_000_000_000 },
      characters: 19_996 * 5 + 40_000 * (5 + 6 + 6 + 6),
    })
  })

  it('leave the connection to the next statement: where there is none, where the statement fails, and where they are refused', async () => {
    const rowsOf = async (text: string, receive: () => void = () => {}): Promise<void> =>
      await copyOutEach(client, { text, values: [] }, ['int32'], receive)
    const isSound = async (): Promise<void> => {
      const { rows } = await client.query<{ one: number }>('select 1 as one')
      expect(rows).toEqual([{ one: 1 }])
    }
    await rowsOf('select 1 where false', () => expect.unreachable())
    await isSound()
    await expect(rowsOf('select nothing')).rejects.toThrow('column "nothing" does not exist')
    await isSound()
    let before = 0
    const failing = rowsOf('select 1 / (1000 - i) from generate_series(1, 5000) as i', () => {
      before += 1
    })
    await expect(failing).rejects.toThrow('division by zero')
    expect(before).toBe(999)
    await isSound()
    const refused = rowsOf('select i from generate_series(1, 5000) as i', () => {
      throw new RangeError('not this one')
    })
    await expect(refused).rejects.toThrow('not this one')
    await isSound()
  })

  it('reject when the connection ends on the way', async () => {
    const others = testPool(database.url, 1)
    const other = await others.connect()
    const { rows } = await other.query<{ pid: number }>('select pg_backend_pid() as pid')
    const sql = { text: 'select i, pg_sleep(0.01)::text from generate_series(1, 100000) as i', values: [] }
    const reading = copyOutEach(other, sql, ['int32', 'string'], () => {})
    const outcome = expect(reading).rejects.toThrow()
    await client.query('select pg_terminate_backend($1)', [rows[0]?.pid])
    await outcome
    other.release(true)
    await others.end()
  })
})
