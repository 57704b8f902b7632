import { readConfig, readEnvironment } from '../config/read-config.ts'
import { InvalidDefinitions } from '../errors.ts'
import { definitionProblems, problemsText } from './definition-problems.ts'
import { jsonText } from './json-text.ts'
import { withVersions } from './open-versions.ts'
import { showsColours } from './paint.ts'
import { loadChecked } from './plan/load-files.ts'
import { makePlan } from './plan/make-plan.ts'
import { planJson } from './plan/plan-json.ts'
import { planText } from './plan/plan-text.ts'

interface PlanArguments {
  readonly json?: boolean
  readonly against?: string
  /** A file instead of the database. */
  readonly registry?: string
}

/** `featuregraph plan`: exit code 0 without changes, 2 with changes, 1 for definitions that do not load. */
export async function plan({ json = false, against, registry }: PlanArguments): Promise<void> {
  const folder = readConfig(readEnvironment()).schemaFolder
  try {
    // Before any server is asked.
    const definitions = await loadChecked(folder)
    const found = await withVersions(registry, (opened) => makePlan(definitions, { folder, against }, opened))
    process.stdout.write(json ? jsonText(planJson(found)) : planText(found, showsColours(process.stdout)))
    if (found.changes.length > 0) process.exitCode = 2
  } catch (error) {
    if (!(error instanceof InvalidDefinitions)) throw error
    const problems = await definitionProblems(folder, error)
    if (json) process.stdout.write(jsonText({ problems }))
    else process.stderr.write(problemsText(problems, folder))
    process.exitCode = 1
  }
}
