import { BadUserInput } from '../errors.ts'
import { systemClock } from '../gateway/system-clock.ts'
import { formatOf, type ImportedFile, type ImportTables, importFile } from '../ingest/files/import-file.ts'
import { importTargets } from '../ingest/files/import-target.ts'
import { type QuarantineKind, quarantineKinds } from '../ingest/files/read-columns.ts'
import { progressBar } from './progress-bar.ts'
import { withStores } from './with-stores.ts'

interface ImportArguments {
  readonly dryRun?: boolean
  readonly onError: string
  readonly assumeUtc?: boolean
}

/** `featuregraph import <source> <files…>`: one file after the other; a final line per file and table on standard output. */
export async function importFiles(
  sourceName: string,
  patterns: readonly string[],
  { dryRun = false, onError, assumeUtc = false }: ImportArguments,
): Promise<void> {
  if (onError !== 'stop' && onError !== 'quarantine')
    throw new BadUserInput(`--on-error expects stop or quarantine; got ${JSON.stringify(onError)}`)
  await withStores('UNUSED', async ({ registry, stores, makeTables }) => {
    const source = { name: sourceName, targets: importTargets(registry, sourceName) }
    const found = await Promise.all(patterns.map((pattern) => stores.files.find(pattern)))
    const files = [...new Set(found.flat())]
    // Before the first of them is imported.
    for (const file of files) formatOf(file)
    const { views, eventSources } = registry
    let made: Promise<void> | null = null
    const tables: ImportTables = {
      lackColumns: async () => {
        const { missingColumns } = await stores.offline.ensureTables(views, eventSources, 'CHECK')
        return missingColumns.length > 0
      },
      make: () => {
        made ??= makeTables()
        return made
      },
    }
    // Says what differs also where nothing is written.
    if (dryRun) await tables.lackColumns()
    for (const file of files) {
      const startedAt = performance.now()
      const progress = progressBar(`${dryRun ? 'checking' : 'importing'} ${file}`)
      const imported = await importFile({ ...stores, clock: systemClock }, source, file, {
        ...{ dryRun, onError, assumeUtc, tables },
        onWait: () =>
          process.stderr.write(`${sourceName}: another import is under way; waiting for its end\n`),
        onProgress: (_, rows, done) => progress.update(rows, done),
      }).finally(progress.stop)
      const seconds = (performance.now() - startedAt) / 1_000
      for (const one of imported) process.stdout.write(`${summary(file, one, seconds, dryRun)}\n`)
    }
  })
}

const kindNames: Readonly<Record<QuarantineKind, string>> = {
  MALFORMED: 'malformed',
  TIMESTAMP: 'timestamp without meaning',
  FUTURE: 'in the future',
  MISSING_KEY: 'missing key',
  TYPE: 'wrong type',
  EXPECTATION: 'not as expected',
}

function summary(file: string, imported: ImportedFile, seconds: number, dryRun: boolean): string {
  const { target, status, read, kept, rejected, deleted, violations } = imported
  const start = `${target}: ${file}: ${dryRun ? 'dry run, nothing written: ' : ''}`
  if (status === 'ALREADY_IMPORTED') return `${start}already imported`
  const kinds = quarantineKinds.flatMap((kind) => {
    const rows = imported.quarantined[kind]
    return rows === undefined ? [] : [{ rows, text: `${rows} ${kindNames[kind]}` }]
  })
  const quarantined = kinds.reduce((sum, { rows }) => sum + rows, 0)
  const why = kinds.length === 0 ? '' : ` (${kinds.map(({ text }) => text).join(', ')})`
  const ofDeleted = deleted === 0 ? '' : `${deleted} of deleted entities, `
  const rate = Math.round(read / seconds)
  return `${start}${read} rows read, ${kept} kept, ${quarantined} quarantined${why}, ${rejected} rejected, ${ofDeleted}${violations} violations, in ${seconds.toFixed(1)} s, ${rate} rows a second`
}
