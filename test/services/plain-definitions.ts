import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'

const repository = fileURLToPath(new URL('../..', import.meta.url))

/** Where `makePlainDefinitions` has put those of `schema/`; of the same name, which commands print. */
export const plainDefinitions = (): string => join(tmpdir(), 'definitions', 'schema')

/** Where it has put those of `test/world`. */
export const worldFolder = (): string => join(tmpdir(), 'definitions', 'world')

/**
 * The definitions of `schema/` and of `test/world` as one JavaScript file each, once a run: a command that reads TypeScript
 * loads a compiler first, which is half of what most commands of a test cost, and a gateway that a test starts loads them
 * with all that they import another time, in 200 ms of CPU.
 */
export async function makePlainDefinitions(): Promise<void> {
  await Promise.all([
    makePlain('schema/fraud.ts', join(plainDefinitions(), 'fraud.mjs')),
    makePlain('test/world/world.ts', join(worldFolder(), 'world.mjs')),
  ])
}

async function makePlain(from: string, outfile: string): Promise<void> {
  await build({
    entryPoints: [join(repository, from)],
    outfile,
    alias: { featuregraph: join(repository, 'src/definitions/featuregraph.ts') },
    ...{ bundle: true, format: 'esm', platform: 'node', target: 'node20', logLevel: 'silent' },
  })
}
