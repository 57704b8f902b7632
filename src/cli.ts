import { readFileSync } from 'node:fs'
import { Command } from 'commander'
import { addExamples } from './cli/command-examples.ts'
import { paint } from './cli/paint.ts'
import { refuseUnknownSubcommands } from './cli/unknown-subcommands.ts'
import { FeaturegraphError } from './errors.ts'

/** Every command loads its own code, so that one does not pay for the others. Exit code 0 is done, 1 an error. */
const program = new Command('featuregraph')
  .description(
    'A GraphQL feature-serving gateway: definitions in TypeScript, answers online and as of any past moment',
  )
  .version(versionOf(new URL('../package.json', import.meta.url)), '-v, --version', 'print the version')
  .addHelpText('after', '\n`featuregraph <command> --help` has examples. Settings are in docs/settings.md.')
  .configureOutput({
    outputError: (text, write) =>
      write(text.replace(/^error:/, paint(process.stderr, 'red', 'featuregraph:'))),
  })
  .exitOverride((end) => {
    // Commander's own end (help, version, a usage error that it has reported already).
    process.exit(end.exitCode === 0 ? 0 : 1)
  })

program
  .command('serve', { isDefault: false })
  .description('run the gateway; settings are the environment variables FEATUREGRAPH_…')
  .action(async () => (await import('./cli/serve.ts')).serve())
program
  .command('dev')
  .description('run the gateway and apply the definitions at every save, also what breaks callers')
  .action(async () => (await import('./cli/dev.ts')).dev())
program
  .command('init')
  .description('write a project of your own: definitions, their tests, settings, servers to run on')
  .argument('[folder]', 'where to; what is there already stays as it is', '.')
  .option('--from-postgres <url>', 'write definitions of the tables and views of a database')
  .option('--schema <schema>', 'with --from-postgres: of this schema', 'public')
  .option('--from-files <patterns...>', 'write definitions of Parquet, CSV and NDJSON files')
  .action(async (folder, options) => (await import('./cli/init.ts')).init(folder, options))
program
  .command('check')
  .description('check the definitions without a server, for CI; exit code 1 with every problem')
  .argument('[folder]', 'the folder of the definitions; without it FEATUREGRAPH_SCHEMA')
  .option('--registry <file>', 'compare with the newest version of a registry file; 1 too for what breaks')
  .option('--allow-breaking', 'with --registry: what breaks is meant')
  .action(async (folder, options) => (await import('./cli/check.ts')).check(folder, options))
program
  .command('plan')
  .description(
    'what the definition files change in the registry, what that breaks and what is to be computed again; exit code 0 without changes, 2 with changes, 1 for errors',
  )
  .option('--against <version>', 'compare with this version; without it with the newest')
  .option('--registry <file>', 'compare with a registry file, without any server')
  .option('--json', 'as one JSON document')
  .action(async (options) => (await import('./cli/plan.ts')).plan(options))
program
  .command('diff')
  .description('what differs between two versions of the registry')
  .argument('<from>', 'the number of a version')
  .argument('[to]', 'the number of a version, or files for the definition files; without it the newest')
  .option('--registry <file>', 'versions of a registry file, without any server')
  .option('--json', 'as one JSON document')
  .action(async (from, to, options) => (await import('./cli/diff.ts')).diff(from, to, options))
const registry = program
  .command('registry')
  .description('all versions of the registry as a file, for CI, a copy or another project')
registry
  .command('export')
  .description('write all versions into a SQLite file; into one that is there, those that it lacks')
  .argument('<file>', 'as registry.db')
  .action(async (file) => (await import('./cli/registry.ts')).exportRegistry(file))
registry
  .command('import')
  .description('take over the versions of a file, into a project that has none, or the first of them')
  .argument('<file>', 'one that featuregraph registry export wrote')
  .action(async (file) => (await import('./cli/registry.ts')).importRegistry(file))
program
  .command('apply')
  .description(
    "make the definitions the registry's newest version, which every process serves; tables, columns and indexes come first",
  )
  .option(
    '--allow-breaking',
    'also what breaks GraphQL clients, feature services, trained models or stored rows',
  )
  .option('--message <text>', 'why, for the history')
  .option('--json', 'as one JSON document')
  .action(async (options) => (await import('./cli/apply.ts')).apply(options))
program
  .command('rollback')
  .description('make a new version with the definitions of an earlier one; what is stored since is kept')
  .argument('<version>', 'a number, as `featuregraph history` shows it')
  .option('--message <text>', 'why, for the history')
  .option('--json', 'as one JSON document')
  .action(async (version, options) => (await import('./cli/rollback.ts')).rollback(version, options))
program
  .command('prune')
  .description('drop what is stored of removed feature views and features; shows it first')
  .option('--dry-run', 'show what would be dropped, with row counts, and drop nothing')
  .option('--yes', 'drop it')
  .option('--message <text>', 'why, for the history')
  .option('--json', 'as one JSON document')
  .action(async (options) => (await import('./cli/prune.ts')).pruneRetired(options))
program
  .command('history')
  .description('the versions of the registry, newest first: when, who and why, and a change that was begun')
  .option('--json', 'as one JSON document')
  .action(async (options) => (await import('./cli/history.ts')).history(options))
program
  .command('show')
  .description('what a version of the registry defines and what it changed')
  .argument('<version>', 'a number, as `featuregraph history` shows it')
  .option('--registry <file>', 'of a registry file, without any server')
  .option('--json', 'as one JSON document')
  .action(async (version, options) => (await import('./cli/show-version.ts')).showVersion(version, options))
program
  .command('sdl')
  .description('print the GraphQL schema of the definitions')
  .action(async () => (await import('./cli/sdl.ts')).sdl())
program
  .command('migrate')
  .description("apply the system tables' migrations that the database lacks")
  .action(async () => (await import('./cli/migrate.ts')).migrateDatabase())
program
  .command('batch')
  .description(
    'compute snapshots of windowed views: from the stored events, by another engine, or take those of files',
  )
  .argument('[views...]', 'windowed views; without any all that are computed in batch')
  .option('--as-of <time>', 'the snapshot that answers at this time; without it the newest')
  .option('--from <time>', 'every snapshot from here on, as 2026-01-31T00:00:00Z')
  .option('--to <time>', 'to here, included; without it to now')
  .option('--every <duration>', "one snapshot in so much time; a multiple of the view's own")
  .option('--created-after <duration>', 'say that new snapshots became known so long after their time')
  .option('--stale', 'those whose events or definition have changed since')
  .option('--replace-pushed', 'end what was pushed over these snapshots; without a time, over any')
  .option('--key <values...>', 'with --replace-pushed: of one entity, by the values of its join keys')
  .option('--from-files <folder>', 'take the rows of Parquet files that were computed elsewhere; of one view')
  .option(
    '--engine <engine>',
    'postgres, duckdb or spark; without it FEATUREGRAPH_BATCH_ENGINE. The last two compute over exported events',
  )
  .option('--events <folder>', 'with duckdb or spark: over these Parquet files instead of the stored events')
  .option('--out <folder>', 'with duckdb or spark: the rows as Parquet, and nowhere else')
  .action(async (views, options) => (await import('./cli/batch.ts')).batchViews(views, options))
program
  .command('import')
  .description(
    'bring Parquet, Arrow, CSV, NDJSON and JSON files into the offline store; the same file again adds nothing until its source changes',
  )
  .argument('<source>', 'an event source, or a file source of feature views')
  .argument('<files...>', 'paths, folders or patterns, as data/*.parquet')
  .option('--dry-run', 'read and check everything, write nothing')
  .option('--on-error <what>', 'with a row that does not fit: stop or quarantine', 'quarantine')
  .option(
    '--max-quarantined <limit>',
    'a share (10%, 0.1) or a number (100) of rows; past it nothing of a file is stored; without it 50%',
  )
  .option('--format <format>', 'parquet, arrow, csv, ndjson or json, whatever the names of the files')
  .option('--assume-utc', 'times without an offset are UTC where the source has no timezone')
  .action(async (source, files, options) =>
    (await import('./cli/import.ts')).importFiles(source, files, options),
  )
program
  .command('export')
  .description(
    'write stored events or feature rows as Parquet files by day; again, what has arrived since, and what deletions changed',
  )
  .argument('<name>', 'an event source, or a feature view whose rows are stored')
  .argument('<folder>', 'where to: a new or empty folder, or one that was exported before')
  .option('--from <time>', 'from here on; without it from the beginning')
  .option('--to <time>', 'before here; without it to now')
  .option('--rebuild', 'write everything again, as after a changed definition')
  .action(async (name, folder, options) =>
    (await import('./cli/export.ts')).exportFiles(name, folder, options),
  )
program
  .command('training-set')
  .description('the features of labelled entity rows, each as of its own time, as a file')
  .option('--service <name>', 'the features of a feature service, in the order of its vector')
  .option(
    '--features <list>',
    'or these: view:feature,view:feature,… or view for all of a view; in a role as view@payee(customer_id=payee_id):feature',
  )
  .option('--spine <file>', 'the entity rows with their times: Parquet, Arrow, CSV or NDJSON')
  .option('--spine-sql <select>', 'or the rows of a select on the offline database')
  .option('--spine-format <format>', 'parquet, arrow, csv, ndjson or json, whatever the name of the file')
  .requiredOption('--out <file>', 'the training set; <file>.card.json says what it was made of')
  .option('--format <format>', 'parquet, csv, ndjson or arrow, whatever the name of the file')
  .option('--known-at <time>', 'as known at this time, or at each row its own: row, row+5m')
  .option('--time <column>', 'the column of the times; without it event_timestamp')
  .option('--time-unit <unit>', 'times that are numbers count s, ms, us or ns from 1970 on')
  .option('--assume-utc', 'times without an offset are UTC')
  .option('--timezone <zone>', 'times without an offset are of this zone, as Europe/Zurich')
  .option('--map <pair...>', 'a column that is called otherwise: user=customer_id')
  .option('--vector', "with a column of the service's vectors, nulls as their defaults")
  .option('--statuses', 'with a column per feature that says why a value is null')
  .option('--full-names', 'features are called <view>__<feature>')
  .option('--from-card <card>', 'the same file again: everything but --spine and --out is in the card')
  .option('--allow-deletions', 'from a card, of what is left, where rows were deleted or dropped since')
  .option('--engine <engine>', 'postgres, duckdb, spark or auto; without it FEATUREGRAPH_TRAINING_ENGINE')
  .option('--explain', 'print how each view would be read, with estimates and statements; nothing is made')
  .option('--max-reads <rows>', 'stored rows that may be read, as estimated; without it 1000000000')
  .action(async (options) => (await import('./cli/training-set.ts')).trainingSet(options))
// What a gateway starts for each job of `createTrainingSet`.
program
  .command('training-set-job', { hidden: true })
  .argument('<id>')
  .argument('<holder>')
  .action(async (id, holder) => (await import('./cli/training-set-job.ts')).trainingSetJob(id, holder))

program
  .command('sql-views')
  .description(
    'make views and functions in the offline database that answer what GraphQL answers, for SQL tools',
  )
  .option('--schema <schema>', 'where to; without it analytics, or analytics_<project>')
  .option('--check', 'only say which are missing or out of date; exit code 1 if any is')
  .option('--drop', 'drop those of this project')
  .action(async (options) => (await import('./cli/sql-views.ts')).sqlViews(options))
program
  .command('materialize')
  .description('write the newest row of every key to the online store')
  .argument('[views...]', 'feature views; without any all that are online')
  .option(
    '--from <time>',
    'event timestamps from here on, as 2026-01-31T09:30:00Z; the watermark does not move',
  )
  .option('--to <time>', 'event timestamps before this')
  .option(
    '--verify',
    'compares the newest row of every key with the one online, and writes what is missing or older there',
  )
  .action(async (views, options) => (await import('./cli/materialize.ts')).materializeViews(views, options))
program
  .command('delete-entity')
  .description('delete an entity everywhere; nothing dated up to now comes back')
  .argument('<entity>', 'an entity')
  .argument('<key...>', 'its join keys in their declared order; negative numbers behind --')
  .action(async (entity, key) => (await import('./cli/delete-entity.ts')).deleteOne(entity, key))
program
  .command('worker')
  .description('run what the views need when it is due: snapshots, then materialize; until SIGTERM')
  .option('--recompute <duration>', 'recompute stale snapshots of so long ago; without it of 3d')
  .option('--once', 'do what is due now, then end; exit code 1 if anything failed')
  .action(async (options) => (await import('./cli/worker.ts')).work(options))
const stream = program
  .command('stream')
  .description(
    'store the events of the topics, and keep streaming feature views caught up with the stored events, until SIGTERM',
  )
  .option('--once', 'apply what is stored and end')
  .action(async (options) => (await import('./cli/stream.ts')).stream(options))
stream
  .command('status')
  .description('how far streaming views and partitions of topics are behind')
  .option('--json', 'as one JSON document')
  .action(async (options) => (await import('./cli/stream-status.ts')).streamStatus(options))
stream
  .command('rebuild')
  .description(
    "rebuild a streaming feature view's tiles from the stored events; the current ones answer meanwhile",
  )
  .argument('<view>', 'a streaming feature view')
  .action(async (view) => (await import('./cli/stream-rebuild.ts')).rebuildView(view))
const quarantine = program
  .command('quarantine')
  .description(
    'rows and messages that were kept out of the stores: of files, pushes, topics and computed snapshots alike',
  )
const cameBy = ['--came-by <way>', 'only those of one way in: file, push, message or batch'] as const
quarantine
  .command('list')
  .description('how many there are, by event source or feature view, way in and reason')
  .argument('[name]', 'an event source or a feature view; without one of all')
  .option(...cameBy)
  .option('--json', 'as one JSON document')
  .action(async (name, options) => (await import('./cli/quarantine.ts')).listQuarantine(name, options))
quarantine
  .command('show')
  .description('the newest 100, each with where it came from, column, value and reason')
  .argument('[name]', 'an event source or a feature view; without one of all')
  .option(...cameBy)
  .action(async (name, options) => (await import('./cli/quarantine-rows.ts')).showQuarantine(name, options))
quarantine
  .command('retry')
  .description('store what fits by now, by the definitions and the time of today; what is stored leaves')
  .argument('[name]', 'an event source or a feature view; without one of all')
  .option(...cameBy)
  .action(async (name, options) => (await import('./cli/quarantine.ts')).retryQuarantined(name, options))
quarantine
  .command('export')
  .description('all of them as NDJSON: the row as it came, the reason and where it came from')
  .argument('[name]', 'an event source or a feature view; without one of all')
  .option(...cameBy)
  .option('--to <file>', 'a new file; without it standard output')
  .action(async (name, options) => (await import('./cli/quarantine-rows.ts')).exportQuarantine(name, options))
// The name until now, for messages only.
const deadLetters = program.command('dead-letters', { hidden: true }).description('see quarantine')
const messages = { cameBy: 'message' } as const
deadLetters
  .command('list')
  .argument('[source]')
  .option('--json')
  .action(async (source, { json }) => {
    const { exportQuarantine, showQuarantine } = await import('./cli/quarantine-rows.ts')
    await (json ? exportQuarantine : showQuarantine)(source, messages)
  })
deadLetters
  .command('retry')
  .argument('[source]')
  .action(async (source) => (await import('./cli/quarantine.ts')).retryQuarantined(source, messages))
program
  .command('validate')
  .description('check what is stored of a feature view against its expectations')
  .argument('<view>', 'a feature view')
  .option('--since <time>', 'rows with an event timestamp from here on, as 2026-01-31T09:30:00Z')
  .action(async (view, options) => (await import('./cli/validate.ts')).validateView(view, options))
program
  .command('status')
  .description('how far each feature view is materialized or caught up, and what no process runs')
  .option('--json', 'as one JSON document')
  .action(async (options) => (await import('./cli/status.ts')).status(options))
program
  .command('processes')
  .description('which gateways, workers and streams of the project run, and what none of them runs')
  .option('--json', 'as one JSON document')
  .action(async (options) => (await import('./cli/processes.ts')).listProcesses(options))
program
  .command('runs')
  .description('what was run when and with which outcome, newest first')
  .option('--kind <kind>', 'import, batch, materialize, validate, rebuild or training_set')
  .option('--view <view>', 'of one feature view')
  .option('--since <time>', 'started at or after it, as 2026-01-31T09:30:00Z')
  .option('--json', 'as one JSON document')
  .action(async (options) => (await import('./cli/runs.ts')).listRuns(options))

addExamples(program)
refuseUnknownSubcommands(program)

try {
  await program.parseAsync()
} catch (error) {
  // What the project's own errors say is written for the operator; anything else needs its stack.
  process.stderr.write(
    `${error instanceof FeaturegraphError ? `${paint(process.stderr, 'red', 'featuregraph:')} ${error.message}` : describe(error)}\n`,
  )
  process.exitCode = 1
}

function versionOf(manifest: URL): string {
  const { version }: { readonly version?: unknown } = JSON.parse(readFileSync(manifest, 'utf8'))
  return String(version)
}

function describe(error: unknown): string {
  return error instanceof Error ? (error.stack ?? error.message) : String(error)
}
