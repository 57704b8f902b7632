import { fileURLToPath } from 'node:url'
import { defineConfig } from 'vitest/config'

const repository = fileURLToPath(new URL('..', import.meta.url))

export default defineConfig({
  root: repository,
  test: {
    include: ['test/**/*.test.ts'],
    globalSetup: ['test/services/global-setup.ts'],
    pool: 'forks',
    testTimeout: 30_000,
    hookTimeout: 30_000,
    alias: [
      // Else vitest loads our `graphql` as .mjs and type-graphql's as .js: two copies, and graphql refuses the mixture.
      { find: /^graphql$/, replacement: 'graphql/index.js' },
      { find: /^featuregraph$/, replacement: `${repository}src/definitions/featuregraph.ts` },
    ],
  },
})
