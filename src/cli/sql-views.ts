import { BadUserInput } from '../errors.ts'
import { postgresSqlViews } from '../stores/postgres/analysts/sql-views.ts'
import type { FoundSqlView, SqlViewState } from '../stores/sql-views.ts'
import { textTable } from './text-table.ts'
import { withStores } from './with-stores.ts'

interface SqlViewsArguments {
  readonly schema?: string
  readonly check?: boolean
  readonly drop?: boolean
}

const schemaName = /^[a-z_][a-z0-9_]{0,62}$/

const done: Readonly<Record<SqlViewState, string>> = {
  CURRENT: 'unchanged',
  NEW: 'made',
  OUTDATED: 'replaced',
  REMOVED: 'dropped',
}
const found: Readonly<Record<SqlViewState, string>> = {
  CURRENT: 'current',
  NEW: 'missing',
  OUTDATED: 'out of date',
  REMOVED: 'of a removed feature view',
}

/** `featuregraph sql-views`: a line for each feature view; exit code 1 where `--check` finds one that is not current. */
export async function sqlViews({
  schema: asked,
  check = false,
  drop = false,
}: SqlViewsArguments): Promise<void> {
  if (check && drop) throw new BadUserInput('--check changes nothing and --drop drops; give one of them')
  if (asked !== undefined && (!schemaName.test(asked) || asked.startsWith('pg_')))
    throw new BadUserInput(
      `--schema expects a name of small letters, digits and _, as analytics; got ${JSON.stringify(asked)}`,
    )
  await withStores('UNUSED', async ({ config, registry, stores }) => {
    const own = config.project === 'default' ? 'analytics' : `analytics_${config.project}`
    const schema = asked ?? own.slice(0, 63)
    const views = postgresSqlViews(stores.system, config.project)
    if (drop) {
      const dropped = await views.drop(schema)
      process.stdout.write(
        dropped.length === 0
          ? `schema ${schema} has none of them\n`
          : linesOf(schema, dropped, () => 'dropped'),
      )
      return
    }
    const stored = registry.views.flatMap((view) =>
      view.kind === 'STREAM' || view.source?.kind === 'parquet' ? [] : [view],
    )
    const states = await (check ? views.compare : views.sync)(schema, stored)
    process.stdout.write(linesOf(schema, states, ({ state }) => (check ? found : done)[state]))
    for (const { name, kind, source } of registry.views) {
      if (kind === 'STREAM')
        process.stdout.write(
          `${name} has none: the windows of a streaming feature view are computed at the time asked for; ask GraphQL with asOf, or make a training set\n`,
        )
      if (source?.kind === 'parquet')
        process.stdout.write(
          `${name} has none: its rows stand in ${source.path}, not in Postgres; read them there, ask GraphQL with asOf, or make a training set\n`,
        )
    }
    if (check && states.some(({ state }) => state !== 'CURRENT')) process.exitCode = 1
  })
}

function linesOf(
  schema: string,
  states: readonly FoundSqlView[],
  stateOf: (one: FoundSqlView) => string,
): string {
  const rows = states.map((one) => [
    ...[one.view, `${schema}.${one.latest}`, `${schema}.${one.asOf}(t)`],
    stateOf(one),
  ])
  return textTable([['FEATURE VIEW', 'LATEST', 'AS OF', 'STATE'], ...rows])
}
