import { availableParallelism } from 'node:os'
import { fileURLToPath } from 'node:url'
import { defineConfig } from 'vitest/config'
import { BaseSequencer, type TestSpecification } from 'vitest/node'
import { patienceMs } from './services/wait-until.ts'

const repository = fileURLToPath(new URL('..', import.meta.url))

/**
 * What begins first: the files on a Kafka, beside each other, since a broker ends when the next file does not ask for it; then
 * what is long for the size of its file, the longest first. By size, which decides in a checkout that has no times of an
 * earlier run, it would come last and keep one processor alone.
 */
const first = [
  ...['faults/faults', 'cli/stream', 'stores/kafka/', 'demo/kafka', 'ingest/stream/transaction-markers'],
  ...['faults/', 'clients/', 'cli/init', 'ingest/rules/', 'examples/', 'demo/', 'docs/definitions-walk'],
  ...['registry/versions/changes', 'embedded/', 'gateway/'],
]

class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const rank = ({ moduleId }: TestSpecification): number => {
      const at = first.findIndex((one) => moduleId.includes(`/test/${one}`))
      return at === -1 ? first.length : at
    }
    return (await super.sort(files)).sort((a, b) => rank(a) - rank(b))
  }
}

export default defineConfig({
  root: repository,
  test: {
    include: ['test/**/*.test.ts'],
    globalSetup: ['test/services/global-setup.ts'],
    pool: 'forks',
    // Files of one process share what they load: loading GraphQL, Fastify and the stores for each took a fifth of the run.
    isolate: false,
    sequence: { sequencer: LongestFirst },
    // One more than there are processors: a file waits for servers, commands and intervals for a fifth of its time.
    // Each of these files at once has a Postgres of its own, so there are not too many.
    maxWorkers: Math.min(availableParallelism() + 1, 4),
    // Room for what is young: collecting garbage was a ninth of what these processes did.
    execArgv: ['--max-semi-space-size=64'],
    // No test depends on a quiet machine: conditions are waited for, and only what hangs meets these limits.
    testTimeout: 2 * patienceMs,
    hookTimeout: 2 * patienceMs,
    expect: { poll: { timeout: patienceMs } },
    alias: [
      // Else vitest loads our `graphql` as .mjs and type-graphql's as .js: two copies, and graphql refuses the mixture.
      { find: /^graphql$/, replacement: 'graphql/index.js' },
      { find: /^featuregraph$/, replacement: `${repository}src/definitions/featuregraph.ts` },
    ],
  },
})
