import { BadUserInput, RowCountRefused } from '../errors.ts'
import { systemClock } from '../gateway/system-clock.ts'
import { filesToImport, formatOf } from '../ingest/files/file-format.ts'
import { reasonLines } from '../ingest/files/first-reasons.ts'
import { type ImportedFile, importFile } from '../ingest/files/import-file.ts'
import { importTargets } from '../ingest/files/import-target.ts'
import { defaultQuarantineLimit, parseQuarantineLimit } from '../ingest/files/quarantine-limit.ts'
import { type QuarantineKind, quarantineKinds } from '../ingest/files/read-columns.ts'
import { fileFormats } from '../stores/file-reader.ts'
import { paint } from './paint.ts'
import { progressBar } from './progress-bar.ts'
import { withStores } from './with-stores.ts'

interface ImportArguments {
  readonly dryRun?: boolean
  readonly onError: string
  readonly assumeUtc?: boolean
  readonly maxQuarantined?: string
  readonly format?: string
}

/** `featuregraph import <source> <files…>`: one file after the other, each by itself; a final line per file and table on standard output. */
export async function importFiles(
  sourceName: string,
  patterns: readonly string[],
  { dryRun = false, onError, assumeUtc = false, ...rest }: ImportArguments,
): Promise<void> {
  if (onError !== 'stop' && onError !== 'quarantine')
    throw new BadUserInput(`--on-error expects stop or quarantine; got ${JSON.stringify(onError)}`)
  const maxQuarantined =
    rest.maxQuarantined === undefined ? defaultQuarantineLimit : parseQuarantineLimit(rest.maxQuarantined)
  const format = fileFormats.find((one) => one === rest.format) ?? null
  if (format === null && rest.format !== undefined)
    throw new BadUserInput(
      `--format expects one of ${fileFormats.join(', ')}; got ${JSON.stringify(rest.format)}`,
    )
  await withStores('UNUSED', async ({ registry, stores, audit, checkTables }) => {
    const source = { name: sourceName, targets: importTargets(registry, sourceName) }
    const found = await Promise.all(
      patterns.map(async (pattern) => filesToImport(pattern, await stores.files.find(pattern), format)),
    )
    const files = [...new Set(found.flatMap((one) => one.files))]
    // Before the first of them is imported.
    for (const file of files) if (format === null) formatOf(file)
    for (const file of found.flatMap(({ passedOver }) => passedOver))
      process.stderr.write(`${file}: passed over, its name says no format; --format reads every file\n`)
    // Also where nothing is written.
    await checkTables()
    const refused: string[] = []
    for (const file of files) {
      const startedAt = performance.now()
      const progress = progressBar(`${dryRun ? 'checking' : 'importing'} ${file}`)
      try {
        const imported = await importFile({ ...stores, clock: systemClock }, source, file, {
          ...{ dryRun, onError, assumeUtc, maxQuarantined, format },
          onWarning: (message) => process.stderr.write(`${message}\n`),
          onWait: () =>
            process.stderr.write(`${sourceName}: another import is under way; waiting for its end\n`),
          onProgress: (_, rows, done) => progress.update(rows, done),
        }).finally(progress.stop)
        const seconds = (performance.now() - startedAt) / 1_000
        const stored = dryRun ? 0 : imported.reduce((sum, one) => sum + one.stored, 0)
        if (stored > 0) audit.done('IMPORT', sourceName, stored)
        for (const one of imported) process.stdout.write(`${summary(file, one, seconds, dryRun)}\n`)
      } catch (error) {
        // A file by itself: the one behind it may be good. What is wrong with a store is wrong with them all.
        if (files.length === 1 || !isRefusal(error)) throw error
        refused.push(file)
        process.stderr.write(`${paint(process.stderr, 'red', 'featuregraph:')} ${error.message}\n`)
      }
    }
    if (refused.length > 0) throw new BadUserInput(refusals(refused, files.length, dryRun))
  })
}

function isRefusal(error: unknown): error is BadUserInput | RowCountRefused {
  return error instanceof BadUserInput || error instanceof RowCountRefused
}

function refusals(refused: readonly string[], files: number, dryRun: boolean): string {
  const list = refused.map((file) => `\n  ${file}`).join('')
  const others = dryRun
    ? 'the others are good'
    : 'the others are imported, and add nothing when they come again'
  return `${refused.length} of ${files} files refused, for the reasons above; ${others}:${list}`
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
  const { target, status, read, stored, rejected, deleted, violations } = imported
  const start = `${target}: ${file}: ${dryRun ? 'dry run, nothing written: ' : ''}`
  if (status === 'ALREADY_IMPORTED') return `${start}already imported`
  const before = imported.storedBefore === 0 ? '' : `${imported.storedBefore} stored before, `
  const kinds = quarantineKinds.flatMap((kind) => {
    const rows = imported.quarantined[kind]
    return rows === undefined ? [] : [{ rows, text: `${rows} ${kindNames[kind]}` }]
  })
  const quarantined = kinds.reduce((sum, { rows }) => sum + rows, 0)
  const why = kinds.length === 0 ? '' : ` (${kinds.map(({ text }) => text).join(', ')})`
  const ofDeleted = deleted === 0 ? '' : `${deleted} of deleted entities, `
  const rate = Math.round(read / seconds)
  return `${start}${read} rows read, ${stored} stored, ${quarantined} quarantined${why}, ${rejected} rejected, ${ofDeleted}${before}${violations} violations, in ${seconds.toFixed(1)} s, ${rate} rows a second${reasonLines(imported.reasons)}`
}
