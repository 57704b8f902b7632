import { writeFile } from 'node:fs/promises'
import path from 'node:path'
import { timezone as zone } from '../definitions/data-source.ts'
import type { EpochUnit } from '../definitions/source-reading.ts'
import { formatTimestamp } from '../definitions/timestamp.ts'
import { BadUserInput } from '../errors.ts'
import { programVersion } from '../gateway/program-version.ts'
import { parseKnownAt } from '../historical/training/known-at.ts'
import { type MadeTrainingSet, makeTrainingSet } from '../historical/training/make-training-set.ts'
import { type FeatureSelection, selectedFeatures } from '../historical/training/selected-features.ts'
import { trainingCard } from '../historical/training/training-card.ts'
import { formatOf } from '../ingest/files/file-format.ts'
import { openComputeThread } from '../on-demand/open-compute-thread.ts'
import { fileFormats } from '../stores/file-reader.ts'
import { postgresAsOfSnapshots } from '../stores/postgres/features/as-of-snapshot.ts'
import { type TrainingFormat, trainingFormats } from '../stores/training-file.ts'
import { progressBar } from './progress-bar.ts'
import { withStores } from './with-stores.ts'

interface TrainingArguments {
  readonly service?: string
  readonly features?: string
  readonly spine: string
  readonly spineFormat?: string
  readonly out: string
  readonly format?: string
  readonly knownAt?: string
  readonly map?: readonly string[]
  readonly time?: string
  readonly timeUnit?: string
  readonly assumeUtc?: boolean
  readonly timezone?: string
  readonly vector?: boolean
  readonly statuses?: boolean
  readonly fullNames?: boolean
}

/** `featuregraph training-set`: the spine's rows with their features, one file and its card; a final line on standard output. */
export async function trainingSet(options: TrainingArguments): Promise<void> {
  const selection = selectionOf(options)
  const knownAt = options.knownAt === undefined ? ({ kind: 'ALL' } as const) : parseKnownAt(options.knownAt)
  const format = outputFormat(options)
  const spineFormat =
    options.spineFormat === undefined
      ? formatOf(options.spine)
      : oneOf('--spine-format', fileFormats, options.spineFormat)
  if (options.assumeUtc && options.timezone !== undefined)
    throw new BadUserInput('--assume-utc and --timezone say two things of times without an offset; give one')
  const timezone = options.assumeUtc ? 'UTC' : (options.timezone ?? null)
  if (timezone !== null && !zone.safeParse(timezone).success)
    throw new BadUserInput(
      `--timezone expects a name of the IANA database, as Europe/Berlin; got ${JSON.stringify(timezone)}`,
    )
  const timeUnit = options.timeUnit === undefined ? null : oneOf('--time-unit', epochUnits, options.timeUnit)
  const map = new Map((options.map ?? []).map(mapped))
  await withStores('UNUSED', async ({ config, served, registry, stores, layouts, log }) => {
    const service = selectedFeatures(registry, selection, options.fullNames ?? false)
    const opened = await stores.files.open(options.spine, spineFormat)
    const thread = openComputeThread({
      folder: config.schemaFolder,
      views: registry.onDemandViews,
      onFailure: ({ view, message }) =>
        log.warn(
          `${view}: its function failed for rows, which are FAILED in the training set; first: ${message}`,
        ),
    })
    const progress = progressBar(`making ${options.out}`)
    const startedAt = performance.now()
    try {
      const { duckDbTrainingFiles: trainingFiles } = await import('../stores/duckdb/training-file.ts')
      const countNonFinite = (view: string): void =>
        log.warn(`${view}: a mapped table holds NaN or Infinity, which is null in the training set`)
      const snapshots = postgresAsOfSnapshots(stores.system, { project: config.project, countNonFinite })
      const made = await makeTrainingSet(
        { snapshots, trainingFiles, layouts, computeOnDemand: thread.compute },
        {
          service,
          spine: { path: options.spine, opened, map, time: options.time ?? null, timezone, timeUnit },
          ...{ knownAt, format, out: options.out },
          ...{ vector: options.vector ?? false, statuses: options.statuses ?? false },
          onProgress: progress.update,
        },
      ).finally(progress.stop)
      const card = trainingCard({
        service: 'service' in selection ? selection.service : null,
        vector: service.vector.map(({ name }) => name),
        registryVersion: served.version,
        definitions: served.digest,
        program: programVersion(),
        spine: {
          file: path.basename(options.spine),
          sha256: await stores.files.digest(options.spine),
          counts: made.spine,
        },
        output: {
          file: path.basename(options.out),
          sha256: await stores.files.digest(options.out),
          bytes: made.bytes,
        },
        ...{ knownAt, takenAt: made.takenAt, features: made.features, summaries: made.summaries },
      })
      await writeFile(`${options.out}.card.json`, card)
      process.stdout.write(`${summary(options.out, made, (performance.now() - startedAt) / 1_000)}\n`)
      for (const warning of warnings(made)) process.stderr.write(`${warning}\n`)
    } finally {
      await thread.close()
      await opened.close()
    }
  })
}

const epochUnits: readonly EpochUnit[] = ['s', 'ms', 'us', 'ns']

function selectionOf({ service, features }: TrainingArguments): FeatureSelection {
  if (service !== undefined && features === undefined) return { service }
  if (features !== undefined && service === undefined)
    return {
      features: features
        .split(',')
        .map((text) => text.trim())
        .filter((text) => text !== ''),
    }
  throw new BadUserInput(
    'a training set is of --service <name> or of --features view:feature,…; give one of them',
  )
}

function outputFormat({ out, format }: TrainingArguments): TrainingFormat {
  if (format !== undefined) return oneOf('--format', trainingFormats, format)
  const extension = path.extname(out).slice(1).replace('jsonl', 'ndjson')
  const known = trainingFormats.find((one) => one === extension)
  if (known) return known
  throw new BadUserInput(
    `${out}: its name says no format; expected .${trainingFormats.join(', .')}, or --format ${trainingFormats.join('|')}`,
  )
}

function oneOf<Value extends string>(option: string, values: readonly Value[], text: string): Value {
  const found = values.find((value) => value === text)
  if (found) return found
  throw new BadUserInput(`${option} expects one of ${values.join(', ')}; got ${JSON.stringify(text)}`)
}

function mapped(text: string): [column: string, name: string] {
  const [, column, name] = /^(.+)=([^=]+)$/.exec(text) ?? []
  if (column === undefined || name === undefined)
    throw new BadUserInput(
      `--map expects <column>=<join key>, as --map user=customer_id; got ${JSON.stringify(text)}`,
    )
  return [column, name]
}

function summary(out: string, { spine, bytes, takenAt }: MadeTrainingSet, seconds: number): string {
  const rate = Math.round(spine.rows / seconds)
  const missing = [
    ...(spine.missingKeys > 0 ? [`${spine.missingKeys} without a join key`] : []),
    ...(spine.missingTimes > 0 ? [`${spine.missingTimes} without a time`] : []),
    ...(spine.ahead > 0 ? [`${spine.ahead} later than now`] : []),
  ]
  const of = missing.length === 0 ? '' : ` (${missing.join(', ')})`
  return `${out}: ${spine.rows} rows${of}, ${bytes} bytes, as of ${formatTimestamp(takenAt)}, in ${seconds.toFixed(1)} s, ${rate} rows a second; ${out}.card.json says what it was made of`
}

function warnings({ features, spine }: MadeTrainingSet): readonly string[] {
  return features
    .filter(({ statuses }) => statuses.UNAVAILABLE > 0)
    .map(
      ({ name, statuses }) =>
        `${name}: not known for ${statuses.UNAVAILABLE} of ${spine.rows} rows (UNAVAILABLE), null there; \`featuregraph status\` says why`,
    )
}
