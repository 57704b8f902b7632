import { formatTimestamp } from '../definitions/timestamp.ts'
import { BadUserInput } from '../errors.ts'
import { exportStores } from '../gateway/export-stores.ts'
import { systemClock } from '../gateway/system-clock.ts'
import { type Exported, exportSubject } from '../ingest/export/export-subject.ts'
import type { Registry } from '../registry/registry.ts'
import { suggest } from '../registry/suggest.ts'
import type { ExportSubject } from '../stores/rows-to-export.ts'
import { argumentTimestamp } from './argument-timestamp.ts'
import { progressBar } from './progress-bar.ts'
import { withStores } from './with-stores.ts'

interface ExportArguments {
  readonly from?: string
  readonly to?: string
  readonly rebuild?: boolean
}

/** `featuregraph export <name> <folder>`: a final line on standard output. */
export async function exportFiles(
  name: string,
  path: string,
  { from, to, rebuild = false }: ExportArguments,
): Promise<void> {
  const range = {
    from: argumentTimestamp('--from', from) ?? undefined,
    to: argumentTimestamp('--to', to) ?? undefined,
  }
  if (range.from !== undefined && range.to !== undefined && range.from >= range.to)
    throw new BadUserInput(`--from ${from} is not before --to ${to}; expected an earlier time`)
  await withStores('UNUSED', async ({ config, registry, stores, log, checkTables }) => {
    const { subject, definition } = subjectOf(registry, name)
    await checkTables()
    const progress = progressBar(`exporting ${name}`)
    const { project } = config
    const exported = await exportSubject(exportStores({ config, stores, clock: systemClock, log }), {
      ...{ project, subject, definition, path, rebuild, ...range },
      onWait: () => process.stderr.write(`${name}: another export is under way; waiting for its end\n`),
      onProgress: progress.update,
    }).finally(progress.stop)
    process.stdout.write(`${summary(name, path, exported)}\n`)
  })
}

function subjectOf(
  registry: Registry,
  name: string,
): { readonly subject: ExportSubject; readonly definition: string | null } {
  const source = registry.eventSources.find((one) => one.name === name)
  if (source !== undefined) return { subject: { kind: 'EVENTS', source }, definition: null }
  const view = registry.views.find((one) => one.name === name)
  if (view === undefined) {
    const known = [...registry.eventSources, ...registry.views].map((one) => one.name)
    throw new BadUserInput(
      `there is no event source or feature view ${JSON.stringify(name)}; ${suggest(name, known)}`,
    )
  }
  if (view.kind === 'STREAM')
    throw new BadUserInput(
      `feature view "${name}" is computed when it is asked for, and has no rows; its events are those of source "${view.events.name}": \`featuregraph export ${view.events.name} <folder>\``,
    )
  if (view.source?.kind === 'parquet')
    throw new BadUserInput(`the rows of feature view "${name}" stand in Parquet already: ${view.source.path}`)
  return {
    subject: { kind: 'ROWS', view },
    definition: view.kind === 'BATCH' ? view.definition : null,
  }
}

function summary(name: string, path: string, { rows, parts, takenAt }: Exported): string {
  const days = new Set(parts.map(({ day }) => day)).size
  const sum = (of: (part: Exported['parts'][number]) => number): number =>
    parts.reduce((total, part) => total + of(part), 0)
  return `${name}: ${rows} rows written; ${path} holds ${sum((part) => part.rows)} rows of ${days} days in ${parts.length} files, ${sum((part) => part.bytes)} bytes, as of ${formatTimestamp(takenAt)}`
}
