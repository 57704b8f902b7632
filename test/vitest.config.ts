import { fileURLToPath } from 'node:url'
import { defineConfig } from 'vitest/config'
import { patienceMs } from './services/wait-until.ts'

const repository = fileURLToPath(new URL('..', import.meta.url))

export default defineConfig({
  root: repository,
  test: {
    include: ['test/**/*.test.ts'],
    globalSetup: ['test/services/global-setup.ts'],
    pool: 'forks',
    // Vitest would take half of the processors; on two of them the files wait for their servers half of the time.
    maxWorkers: '100%',
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
