import pg from 'pg'
import { expect } from 'vitest'
import { formatTimestamp, type Micros } from '../../src/definitions/timestamp.ts'

/** As `customerRealtimeFeatures { transactionsLastHour amountLastHour freshness { status } }` answers. */
export interface LastHour {
  readonly transactionsLastHour: number
  readonly amountLastHour: number
  readonly freshness: { readonly status: string }
}

/** What the demo's realtime view is to answer at a time by the kept events, each id once; one entry per customer, in order. */
export async function lastHours(
  url: string,
  project: string,
  ids: readonly number[],
  at: Micros,
): Promise<readonly LastHour[]> {
  const fiveMinutes = 300_000_000
  const from = Math.floor((at - 3_600_000_000) / fiveMinutes) * fiveMinutes
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  try {
    const { rows } = await client.query<{ n: number; total: number }>(
      `select count(e.event_id)::int as n, coalesce(sum(e.amount), 0) as total
       from unnest($1::bigint[]) with ordinality as k(id, place) left join lateral (
         select distinct event_id, amount from events_${project}.transactions
         where customer_id = k.id and event_timestamp >= $2 and event_timestamp < $3
       ) as e on true group by k.place order by k.place`,
      [ids, formatTimestamp(from), formatTimestamp(at)],
    )
    return rows.map(({ n, total }) => ({
      transactionsLastHour: n,
      amountLastHour: expect.closeTo(total, 6),
      freshness: { status: n > 0 ? 'PRESENT' : 'NOT_FOUND' },
    }))
  } finally {
    await client.end()
  }
}
