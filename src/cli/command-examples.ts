import type { Command } from 'commander'

/** By the command's words, without `featuregraph`. Each is shown at the end of the command's `--help`. */
export const examples: Readonly<Record<string, readonly string[]>> = {
  serve: ['serve', 'FEATUREGRAPH_PORT=8080 FEATUREGRAPH_DEMO=false featuregraph serve'],
  dev: ['dev'],
  init: ['init ../mine', "init mine --from-files 'data/*.parquet'"],
  apply: ['apply', "apply --allow-breaking --message 'windows of 7 days'"],
  rollback: ["rollback 3 --message 'scores fell'"],
  prune: ['prune --dry-run', 'prune --yes'],
  history: ['history'],
  show: ['show 3', 'show 3 --registry registry.db'],
  check: ['check', 'check schema --registry registry.db'],
  plan: ['plan', 'plan --registry registry.db --json'],
  diff: ['diff 3', 'diff 3 files'],
  registry: ['registry export registry.db'],
  'registry export': ['registry export registry.db'],
  'registry import': ['registry import registry.db'],
  sdl: ['sdl > schema.graphql'],
  migrate: ['FEATUREGRAPH_OFFLINE_URL=postgres://admin:…@host/database featuregraph migrate'],
  batch: [
    'batch rider_habits',
    'batch rider_habits --from 2026-10-02T00:00:00Z --to 2026-11-01T00:00:00Z --created-after 1h',
    'batch rider_habits --from-files lake/rider_habits',
    'batch rider_habits --engine spark --stale',
    'batch rider_habits --engine duckdb --events lake/rides --out lake/rider_habits --from 2026-10-02T00:00:00Z',
  ],
  import: ["import rides 'data/rides-*.parquet'", 'import rides data/rides.csv --dry-run'],
  export: [
    'export transactions lake/transactions',
    'export rider_habits lake/rider_habits --from 2026-01-01T00:00:00Z',
  ],
  'training-set': [
    'training-set --service fraud_detection_v1 --spine labels.parquet --out train.parquet',
    'training-set --features rider_habits:trips_7d --spine labels.csv --known-at row --out train.csv',
    "training-set --service fraud_detection_v1 --spine-sql 'select * from labels' --out train.feather --format arrow",
  ],
  'sql-views': ['sql-views', 'sql-views --check'],
  materialize: ['materialize', 'materialize rider_habits --verify'],
  'delete-entity': ['delete-entity customer 1001', 'delete-entity account -- -7'],
  worker: ['worker', 'worker --once --recompute 7d'],
  stream: ['stream', 'stream --once'],
  'stream status': ['stream status'],
  'stream rebuild': ['stream rebuild customer_realtime_features'],
  quarantine: ['quarantine list', 'quarantine retry transactions'],
  'quarantine list': ['quarantine list transactions --json'],
  'quarantine show': ['quarantine show transactions --came-by message'],
  'quarantine retry': ['quarantine retry transactions'],
  'quarantine export': ['quarantine export transactions --to quarantined.ndjson'],
  validate: ['validate rider_habits --since 2026-01-31T09:30:00Z'],
  status: ['status', 'status --json'],
  processes: ['processes'],
  runs: ['runs --kind batch --view rider_habits --since 2026-01-31T09:30:00Z'],
}

/** Adds the examples to `--help` of every command below this one. */
export function addExamples(program: Command, before = ''): void {
  for (const command of program.commands) {
    const words = `${before}${command.name()}`
    const lines = (examples[words] ?? []).map((line) =>
      line.includes('featuregraph ') ? `  ${line}` : `  featuregraph ${line}`,
    )
    if (lines.length > 0)
      command.addHelpText('after', `\n${lines.length === 1 ? 'Example' : 'Examples'}:\n${lines.join('\n')}`)
    addExamples(command, `${words} `)
  }
}
