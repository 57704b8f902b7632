import { type Bench, byTurns, type Findings } from './bench.ts'
import { checkEqual } from './check.ts'
import type { Done } from './ours.ts'
import { psql } from './psql.ts'
import { readTotals, type Totals, totalsColumns } from './transactions.ts'
import { firstDay, projects } from './world.ts'

/** Our import of the Parquet file beside psql's `\copy` of the same rows as CSV into a table made alike. */
export async function measureImport(bench: Bench): Promise<Findings> {
  const { database, postgres, transactions, rounds, sizes } = bench
  const columns = '"offset", customer_id, amount, merchant_id, success, event_timestamp'
  const copy = `\\copy ${database.events(projects.psql)} (${columns}) from '${transactions.csv}' (format csv)`
  const turns = await byTurns(
    rounds,
    () => importTransactions(bench),
    async () => {
      await database.forgetEvents(projects.psql)
      await database.settle()
      const seconds = await psql(postgres, copy)
      bench.say(`import: psql ${seconds.toFixed(1)} s`)
      checkEqual('the table that psql wrote', await totalsOf(bench, projects.psql), transactions.totals)
      return seconds
    },
  )
  await database.forgetEvents(projects.psql)
  return {
    comparisons: [
      {
        what: 'import from Parquet',
        rows: sizes.events,
        ours: turns.ours,
        peer: { kind: 'RUN', name: 'psql \\copy from CSV', seconds: turns.peer },
        goal: { kind: 'RATE_AT_LEAST', times: 0.5 },
      },
    ],
    growths: [],
  }
}

/** Imports the file again, and checks what stands in the table then. */
export async function importTransactions(bench: Bench): Promise<Done> {
  const { database, transactions, ours } = bench
  const project = projects.ours
  await database.forgetEvents(project)
  await database.settle()
  const done = await ours({ kind: 'IMPORT', databaseUrl: database.url, project, file: transactions.parquet })
  bench.say(`import: ours ${done.seconds.toFixed(1)} s`)
  checkEqual('imported rows', done.rows, transactions.totals.rows)
  checkEqual('the imported table', await totalsOf(bench, project), transactions.totals)
  return done
}

async function totalsOf({ database }: Bench, project: string): Promise<Totals> {
  const { rows } = await database.pool.query<unknown[]>({
    text: `select ${totalsColumns}, sum((extract(epoch from event_timestamp) * 1000000 - ${firstDay})::bigint)::text
      from ${database.events(project)}`,
    rowMode: 'array',
  })
  return readTotals(rows[0] ?? [])
}
