import { testPool } from './test-pool.ts'

/** What the table of the audit has of a database, in order, as `who action subject outcome count`. */
export async function audited(url: string): Promise<readonly string[]> {
  const pool = testPool(url, 1, null)
  try {
    const { rows } = await pool.query<{ entry: string }>(
      `select concat_ws(' ', who, action, subject, outcome, count) as entry from featuregraph.audit order by id`,
    )
    return rows.map(({ entry }) => entry)
  } finally {
    await pool.end()
  }
}
