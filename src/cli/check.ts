import { readConfig, readEnvironment } from '../config/read-config.ts'
import { InvalidDefinitions } from '../errors.ts'
import { buildSchema } from '../graph/build-schema.ts'
import { loadRegistry } from '../registry/load.ts'
import type { Registry } from '../registry/registry.ts'
import { currentVersion } from '../registry/versions/apply.ts'
import { nextContent } from '../registry/versions/resolve-identities.ts'
import { definitionProblems } from './definition-problems.ts'
import { showsColours } from './paint.ts'
import { brokenWords, changesText } from './plan/changes-text.ts'
import { brokenBy, type Comparison, compareVersions } from './plan/compare-versions.ts'
import { loadChecked } from './plan/load-files.ts'

interface CheckArguments {
  /** A file that holds the versions applied so far. */
  readonly registry?: string
  readonly allowBreaking?: boolean
}

/**
 * `featuregraph check`: exit code 1 with every problem, each with its file and line where these can be found; beside a
 * registry file also with what breaks.
 */
export async function check(
  folder: string | undefined,
  { registry, allowBreaking = false }: CheckArguments = {},
): Promise<void> {
  const schemaFolder = folder ?? readConfig(readEnvironment()).schemaFolder
  const { problems, summary } = await checkDefinitions(schemaFolder)
  if (problems.length > 0) {
    refuse(problems, schemaFolder)
    return
  }
  process.stdout.write(`${schemaFolder}: ${summary}\n`)
  if (registry === undefined) return
  const compared = await compareWithFile(schemaFolder, registry)
  if ('problems' in compared) {
    refuse(compared.problems, schemaFolder)
    return
  }
  process.stdout.write(comparedText(compared, registry))
  const broken = brokenBy(compared.changes)
  if (broken.length === 0 || allowBreaking) return
  process.stderr.write(
    `the definitions break ${brokenWords(broken)}; \`--allow-breaking\` says that this is meant\n`,
  )
  process.exitCode = 1
}

function refuse(problems: readonly string[], folder: string): void {
  const count = problems.length === 1 ? '1 problem' : `${problems.length} problems`
  process.stderr.write(`${problems.join('\n')}\n\n${count} in the definitions of ${folder}\n`)
  process.exitCode = 1
}

function comparedText(comparison: Comparison, file: string): string {
  if (comparison.changes.length === 0) return `${file}: no changes\n`
  return `${file}: changes since its newest version\n\n${changesText(comparison, showsColours(process.stdout))}\n`
}

/** What differs from the newest version of a registry file, without any server; or why the definitions cannot follow it. */
async function compareWithFile(
  folder: string,
  file: string,
): Promise<Comparison | { readonly problems: readonly string[] }> {
  const { withVersions } = await import('./open-versions.ts')
  try {
    return await withVersions(file, async ({ versions }) => {
      const before = (await currentVersion(versions))?.content ?? null
      return await compareVersions(before, nextContent(before, await loadChecked(folder)))
    })
  } catch (error) {
    if (!(error instanceof InvalidDefinitions)) throw error
    return { problems: await definitionProblems(folder, error) }
  }
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
    return { problems: await definitionProblems(folder, error), summary: '' }
  }
}

/** `1 entity, 1 event source, 2 feature views and 1 feature service` */
function summaryOf({ entities, eventSources, views, onDemandViews, services }: Registry): string {
  const parts = [
    counted(entities.length, 'entity', 'entities'),
    counted(eventSources.length, 'event source', 'event sources'),
    counted(views.length + onDemandViews.length, 'feature view', 'feature views'),
  ]
  return `${parts.join(', ')} and ${counted(services.length, 'feature service', 'feature services')}`
}

function counted(count: number, one: string, several: string): string {
  return `${count} ${count === 1 ? one : several}`
}
