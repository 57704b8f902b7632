import { readConfig, readEnvironment } from '../config.ts'
import { InvalidDefinitions } from '../errors.ts'
import { buildSchema } from '../graph/build-schema.ts'
import { loadRegistry } from '../registry/load.ts'
import type { Registry } from '../registry/registry.ts'
import { definitionFinder } from './check/find-definition.ts'

/** `featuregraph check`: exit code 1 with every problem, each with its file and line where these can be found. */
export async function check(folder: string | undefined): Promise<void> {
  const schemaFolder = folder ?? readConfig(readEnvironment()).schemaFolder
  const { problems, summary } = await checkDefinitions(schemaFolder)
  if (problems.length === 0) {
    process.stdout.write(`${schemaFolder}: ${summary}\n`)
    return
  }
  const count = problems.length === 1 ? '1 problem' : `${problems.length} problems`
  process.stderr.write(`${problems.join('\n')}\n\n${count} in the definitions of ${schemaFolder}\n`)
  process.exitCode = 1
}

interface CheckedDefinitions {
  /** A line each. */
  readonly problems: readonly string[]
  readonly summary: string
}

/** Loads the definitions of a folder and builds the schema of them, without a store. */
export async function checkDefinitions(folder: string): Promise<CheckedDefinitions> {
  try {
    const registry = await loadRegistry(folder)
    buildSchema(registry)
    return { problems: [], summary: summaryOf(registry) }
  } catch (error) {
    if (!(error instanceof InvalidDefinitions)) throw error
    const find = await definitionFinder(folder)
    const problems = error.problems.map(({ path, message }) => {
      const place = find(path)
      // The place says the file already.
      return place === null
        ? `${path}: ${message}`
        : `${place}: ${path.replace(/ \([^()]*\)$/, '')}: ${message}`
    })
    return { problems, summary: '' }
  }
}

/** `1 entity, 1 event source, 2 feature views and 1 feature service` */
function summaryOf({ entities, eventSources, views, services }: Registry): string {
  const parts = [
    counted(entities.length, 'entity', 'entities'),
    counted(eventSources.length, 'event source', 'event sources'),
    counted(views.length, 'feature view', 'feature views'),
  ]
  return `${parts.join(', ')} and ${counted(services.length, 'feature service', 'feature services')}`
}

function counted(count: number, one: string, several: string): string {
  return `${count} ${count === 1 ? one : several}`
}
