import pg from 'pg'
import { formatTimestamp, type Micros } from '../../src/definitions/timestamp.ts'
import { demoSeed } from '../../src/demo/demo-mark.ts'
import { secondMicros, transactionsOfSecond } from '../../src/demo/transactions.ts'
import { waitUntil } from '../services/wait-until.ts'

/** As `customerRealtimeFeatures { transactionsLastHour amountLastHour freshness { status } }` answers. */
export interface LastHour {
  readonly transactionsLastHour: number
  readonly amountLastHour: number
  readonly freshness: { readonly status: string }
}

/** What stands in the database of a demo. */
export interface DemoEvents {
  readonly rows: <Row>(sql: string, values?: readonly unknown[]) => Promise<readonly Row[]>
  /** The ids of events in a span, each as often as it stands there, in order. */
  readonly idsIn: (from: Micros, to: Micros) => Promise<readonly string[]>
  /** Resolves when the demo is marked as made up to then. */
  readonly untilMade: (to: Micros) => Promise<void>
  /**
   * Takes the mark back, so that a running generator sends so many seconds again: at the demo's rate little happens in the
   * few that a test can wait for. Resolves with the mark's new time.
   */
  readonly setBack: (seconds: number) => Promise<Micros>
  /** What the realtime view is to answer at a time by the stored events, each id once; one entry per customer, in order. */
  readonly lastHours: (ids: readonly number[], at: Micros) => Promise<readonly LastHour[]>
}

/** The id of a transaction that was sent as its second went by, and not imported. */
export const isSent = (id: string): boolean => /^\d{10}-\d$/.test(id)

/** What the generator sends in whole seconds, in order of the ids. */
export function idsSent(from: Micros, to: Micros): readonly string[] {
  const seconds = Array.from(
    { length: (to - from) / secondMicros },
    (_, index) => from / secondMicros + index,
  )
  return seconds.flatMap((second) =>
    transactionsOfSecond(demoSeed, second)
      .map(({ transactionId }) => transactionId)
      .sort(),
  )
}

export function demoEvents(url: string, project: string): DemoEvents {
  async function rows<Row>(sql: string, values: readonly unknown[] = []): Promise<readonly Row[]> {
    const client = new pg.Client({ connectionString: url })
    await client.connect()
    try {
      return (await client.query(sql, [...values])).rows
    } finally {
      await client.end()
    }
  }
  return {
    rows,
    async idsIn(from, to) {
      const found = await rows<{ id: string }>(
        `select event_id as id from events_${project}.transactions
         where event_timestamp >= $1 and event_timestamp < $2 order by event_id collate "C"`,
        [formatTimestamp(from), formatTimestamp(to)],
      )
      return found.map(({ id }) => id)
    },
    async untilMade(to) {
      const isMade = async () => {
        const [mark] = await rows<{ made: boolean }>(
          'select seeded_until >= $2 as made from featuregraph.demo_projects where project = $1',
          [project, formatTimestamp(to)],
        )
        return mark?.made === true
      }
      await waitUntil(isMade, 'the demo is made up to then')
    },
    async setBack(seconds) {
      const lock = `pg_advisory_xact_lock(hashtextextended('featuregraph demo transactions ${project}', 0))`
      const [mark] = await rows<{ until: string }>(
        `with locked as materialized (select ${lock})
         update featuregraph.demo_projects set seeded_until = seeded_until - make_interval(secs => $2)
         from locked where project = $1 returning extract(epoch from seeded_until)::bigint::text as until`,
        [project, seconds],
      )
      return Number(mark?.until) * secondMicros
    },
    async lastHours(ids, at) {
      const fiveMinutes = 300 * secondMicros
      const from = Math.floor((at - 3_600 * secondMicros) / fiveMinutes) * fiveMinutes
      const found = await rows<{ n: number; total: number }>(
        `select count(e.event_id)::int as n, coalesce(sum(e.amount), 0)::float8 as total
         from unnest($1::bigint[]) with ordinality as k(id, place) left join lateral (
           select distinct event_id, amount from events_${project}.transactions
           where customer_id = k.id and event_timestamp >= $2 and event_timestamp < $3
         ) as e on true group by k.place order by k.place`,
        [ids, formatTimestamp(from), formatTimestamp(at)],
      )
      return found.map(({ n, total }) => ({
        transactionsLastHour: n,
        amountLastHour: total,
        freshness: { status: n > 0 ? 'PRESENT' : 'NOT_FOUND' },
      }))
    },
  }
}
