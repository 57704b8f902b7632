import type pg from 'pg'
import { FeaturegraphError } from '../../../errors.ts'
import type { RetiredPart, TableChanges, TableStep } from '../../table-changes.ts'
import { inTransaction, storeFailed } from '../sql/pool.ts'
import { buildIndex, dropIndex } from './concurrent-index.ts'
import { missingTables } from './ensure-tables.ts'
import { forgetViews } from './forget-views.ts'
import { missingRight, readSession } from './missing-right.ts'
import { retiredColumns, retiredTables } from './retired-parts.ts'
import { makeShortStep, type ShortStepOptions, type StepTiming, stepTiming } from './short-step.ts'

/** On a pool without a statement timeout and with two connections at least. */
export function postgresTableChanges(
  pool: pg.Pool,
  project: string,
  timing: StepTiming = stepTiming,
): TableChanges {
  return {
    async missing(views, sources) {
      return await inTransaction(pool, async (client) => {
        const { steps } = await missingTables(client, project, views, sources)
        return steps
      }).catch(failed('checking tables'))
    },

    async make(step, report) {
      const options = { timing, report }
      await makeStep(pool, step, options)
        .catch(async (error: unknown) => {
          const session = await inTransaction(pool, readSession)
          missingRight(session, { schema: schemaOf(step), owner: 'featuregraph apply' })(error)
        })
        .catch(failed(`making ${step.what}`))
    },

    async retired(viewIds, columns) {
      return await inTransaction(pool, async (client) => {
        const parts: RetiredPart[] = [...(await retiredTables(client, project, viewIds))]
        for (const one of columns) parts.push(...(await retiredColumns(client, project, one)))
        return parts
      }).catch(failed('counting what is retired'))
    },

    async forget(viewIds) {
      await inTransaction(pool, (client) => forgetViews(client, project, viewIds)).catch(
        failed('removing what is recorded of removed views'),
      )
    },
  }
}

function makeStep(pool: pg.Pool, step: TableStep, options: ShortStepOptions): Promise<void> {
  switch (step.kind) {
    case 'INDEX':
      return buildIndex(pool, step, options)
    case 'DROP_INDEX':
      return dropIndex(pool, step, options)
    default:
      return makeShortStep(pool, step.what, step.statements, options)
  }
}

/** Unquoted; a step that makes one names nothing else. */
function schemaOf({ table, what }: TableStep): string {
  return /"([^"]+)"/.exec(table ?? what)?.[1] ?? ''
}

function failed(doing: string): (error: unknown) => never {
  return (error) => {
    if (error instanceof FeaturegraphError) throw error
    return storeFailed(doing)(error)
  }
}
