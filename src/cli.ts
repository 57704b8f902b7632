import { Command } from 'commander'
import { FeaturegraphError } from './errors.ts'

/** Every command loads its own code, so that one does not pay for the others. Exit code 0 is done, 1 an error. */
const program = new Command('featuregraph')
  .description(
    'A GraphQL feature-serving gateway: definitions in TypeScript, answers online and as of any past moment',
  )
  .exitOverride((end) => {
    // Commander's own end (help, version, a usage error that it has told already).
    process.exit(end.exitCode === 0 ? 0 : 1)
  })

program
  .command('serve', { isDefault: false })
  .description('run the gateway; settings are the environment variables FEATUREGRAPH_…')
  .action(async () => (await import('./cli/serve.ts')).serve())
program
  .command('sdl')
  .description('print the GraphQL schema of the definitions')
  .action(async () => (await import('./cli/sdl.ts')).sdl())
program
  .command('migrate')
  .description("apply the system tables' migrations that the database lacks")
  .action(async () => (await import('./cli/migrate.ts')).migrateDatabase())

try {
  await program.parseAsync()
} catch (error) {
  // What the project's own errors say is written for the operator; anything else needs its stack.
  process.stderr.write(
    `${error instanceof FeaturegraphError ? `featuregraph: ${error.message}` : describe(error)}\n`,
  )
  process.exitCode = 1
}

function describe(error: unknown): string {
  return error instanceof Error ? (error.stack ?? error.message) : String(error)
}
