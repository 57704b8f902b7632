import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'

const repository = fileURLToPath(new URL('../..', import.meta.url))

/** Where `makePlainDefinitions` has put them; of the same name, which commands print. */
export const plainDefinitions = (): string => join(tmpdir(), 'definitions', 'schema')

/**
 * The definitions of `schema/` as one JavaScript file, once a run: a command that reads TypeScript loads a compiler first,
 * which is half of what most commands of a test cost.
 */
export async function makePlainDefinitions(): Promise<void> {
  await build({
    entryPoints: [join(repository, 'schema/fraud.ts')],
    outfile: join(plainDefinitions(), 'fraud.mjs'),
    alias: { featuregraph: join(repository, 'src/definitions/featuregraph.ts') },
    ...{ bundle: true, format: 'esm', platform: 'node', target: 'node20', logLevel: 'silent' },
  })
}
