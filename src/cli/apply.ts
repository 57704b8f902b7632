import { readConfig, readEnvironment } from '../config/read-config.ts'
import { InvalidDefinitions } from '../errors.ts'
import { buildRegistry } from '../registry/build-registry.ts'
import { loadDefinitions } from '../registry/load.ts'
import type { Definition } from '../registry/parse-definitions.ts'
import { applyDefinitions } from '../registry/versions/apply.ts'
import { appliedText } from './applied-text.ts'
import { definitionProblems, problemsText } from './definition-problems.ts'
import { withRegistry } from './with-registry.ts'

interface ApplyArguments {
  readonly allowBreaking?: boolean
  readonly message?: string
  readonly json?: boolean
}

/** `featuregraph apply`: with problems in the files nothing is applied, and each is printed as `check` does. */
export async function apply({ allowBreaking, message, json = false }: ApplyArguments): Promise<void> {
  const { schemaFolder } = readConfig(readEnvironment())
  try {
    const definitions = await loadServable(schemaFolder)
    await withRegistry(async ({ targets, options, audit }) => {
      const before = await targets.versions.newest()
      const after = await applyDefinitions(targets, definitions, {
        ...options(message),
        allowBreaking: allowBreaking === true,
      })
      if (after.version !== before) audit('APPLY', after.version)
      process.stdout.write(await appliedText(targets, { before, after, json }))
    })
  } catch (error) {
    if (!(error instanceof InvalidDefinitions)) throw error
    process.stderr.write(problemsText(await definitionProblems(schemaFolder, error), schemaFolder))
    process.exitCode = 1
  }
}

/** @throws InvalidDefinitions also for what no GraphQL schema can be built of. */
async function loadServable(folder: string): Promise<readonly Definition[]> {
  const { definitions, unloaded } = await loadDefinitions(folder)
  const registry = buildRegistry(definitions, unloaded)
  const { buildSchema } = await import('../graph/build-schema.ts')
  buildSchema(registry)
  return definitions
}
