import { readFile, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { formatTimestamp } from '../definitions/timestamp.ts'
import { BadUserInput, messageOf } from '../errors.ts'
import { programVersion } from '../gateway/program-version.ts'
import { trainingSources } from '../gateway/training-sources.ts'
import { type AskedEngine, trainingEngines } from '../historical/plan/choose-engine.ts'
import { readLimit, usualReadLimit } from '../historical/plan/read-limit.ts'
import {
  type CardedRequest,
  type CardedSources,
  type CardedTrainingSet,
  makeCardedTrainingSet,
} from '../historical/training/carded-training-set.ts'
import { explainTrainingSet } from '../historical/training/explain-training-set.ts'
import type { EngineMade } from '../historical/training/make-by-engine.ts'
import { readCard, type TrainingCard } from '../historical/training/read-card.ts'
import { type RemadeTrainingSet, remakeTrainingSet } from '../historical/training/remake-training-set.ts'
import { selectedFeatures } from '../historical/training/selected-features.ts'
import { postgresLaterChanges } from '../stores/postgres/deletion/later-changes.ts'
import { outputFile } from './output-file.ts'
import { progressBar } from './progress-bar.ts'
import { checkSpine, openSpine } from './spine-source.ts'
import { refuseBesideCard, type TrainingArguments, trainingOptions } from './training-options.ts'
import { type CommandWorld, withStores } from './with-stores.ts'

interface CardArguments {
  /** A card's file. */
  readonly fromCard?: string
  readonly allowDeletions?: boolean
}

interface RunArguments {
  /** Nothing is made: the plan is printed. */
  readonly explain?: boolean
  /** See `readLimit`. */
  readonly maxReads?: string
  readonly engine?: string
}

/** `featuregraph training-set`: the spine's rows with their features, one file and its card; a final line on standard output. */
export async function trainingSet({
  fromCard,
  allowDeletions,
  explain,
  maxReads,
  engine: askedEngine,
  ...options
}: TrainingArguments & CardArguments & RunArguments): Promise<void> {
  if (fromCard !== undefined) refuseBesideCard(options)
  else if (allowDeletions) throw new BadUserInput('--allow-deletions goes with --from-card; leave it out')
  const card = fromCard === undefined ? null : await cardOf(fromCard)
  const engine = acceptEngine(askedEngine, fromCard !== undefined)
  const training = card?.options ?? trainingOptions(options)
  await withStores('UNUSED', async (world) => {
    const { out } = options
    const cardSql = card?.spine.sql ?? null
    if (cardSql === null) checkSpine(options)
    const output = await outputFile(out, world.config.lake)
    const spine = await openSpine(world.stores.system, { ...options, out: output.local }, cardSql)
    const service = selectedFeatures(world.registry, training.selection, training.fullNames)
    const sources = await sourcesOf(world)
    const limit = readLimit(acceptMaxReads(maxReads), '--max-reads <number> raises it')
    const asked = { engine: engine ?? world.config.trainingEngine, isBinding: engine !== null }
    if (explain) {
      const text = explained(sources, {
        ...{ service, options: training, spine: spine.path, limit },
        ...asked,
      })
      process.stdout.write(await text.finally(spine.close).finally(output.close))
      return
    }
    const startedAt = performance.now()
    const progress = progressBar(`making ${out}`)
    const request = {
      ...{ service, spine: spine.path, spineSql: spine.sql, limit, onProgress: progress.update },
      out: output.local,
      signal: new AbortController().signal,
    }
    const make = async (): Promise<CardedTrainingSet | RemadeTrainingSet> =>
      card === null
        ? await makeCardedTrainingSet(sources, {
            ...{ ...request, options: training, again: null },
            ...asked,
          })
        : await remakeTrainingSet(sources, { ...request, card, allowDeletions: allowDeletions ?? false })
    try {
      const carded = await make().finally(progress.stop).finally(spine.close)
      await writeFile(`${output.local}.card.json`, carded.card)
      await output.publish('', '.card.json')
      process.stdout.write(`${summary(out, carded.made, (performance.now() - startedAt) / 1_000)}\n`)
      const differs = card !== null && 'removed' in carded ? difference(card, carded) : []
      for (const line of [...warnings(carded.made), ...differs]) process.stderr.write(`${line}\n`)
    } finally {
      await output.close()
    }
  })
}

const askedEngines: readonly AskedEngine[] = [...trainingEngines, 'auto']

/** Null: the project's setting. @throws BadUserInput */
function acceptEngine(text: string | undefined, isFromCard: boolean): AskedEngine | null {
  if (text === undefined) return null
  if (isFromCard) throw new BadUserInput('with --from-card the engine stands in the card; leave out --engine')
  const found = askedEngines.find((engine) => engine === text)
  if (found) return found
  throw new BadUserInput(`--engine expects one of ${askedEngines.join(', ')}; got ${JSON.stringify(text)}`)
}

/** @throws BadUserInput */
function acceptMaxReads(text: string | undefined): number {
  if (text === undefined) return usualReadLimit
  const number = Number(text)
  if (Number.isSafeInteger(number) && number > 0) return number
  throw new BadUserInput(`--max-reads expects a whole number of stored rows; got ${JSON.stringify(text)}`)
}

async function explained(
  { snapshots, engines, files }: Pick<CardedSources, 'snapshots' | 'engines' | 'files'>,
  {
    service,
    options,
    spine,
    ...asked
  }: Pick<CardedRequest, 'service' | 'options' | 'spine' | 'limit' | 'engine' | 'isBinding'>,
): Promise<string> {
  const opened = await files.open(spine, options.spineFormat)
  try {
    return await explainTrainingSet(
      { snapshots, engines },
      {
        ...options,
        ...{ service, ...asked, rows: null, visibleIn: null, files: [] },
        spine: { ...options, path: spine, opened },
      },
    )
  } finally {
    await opened.close()
  }
}

async function cardOf(file: string): Promise<TrainingCard> {
  const text = await readFile(file, 'utf8').catch((error: unknown) => {
    throw new BadUserInput(`--from-card ${file} cannot be read: ${messageOf(error)}`)
  })
  return readCard(path.basename(file), text)
}

async function sourcesOf({ config, served, stores, log }: CommandWorld): Promise<CardedSources> {
  const { project } = config
  return {
    ...(await trainingSources(config, stores.system, log)),
    ...{ files: stores.files, changes: postgresLaterChanges(stores.system, project) },
    world: {
      ...{ project, registryVersion: served.version, definitions: served.digest },
      program: programVersion(),
    },
  }
}

function difference(card: TrainingCard, { isSame, removed }: RemadeTrainingSet): readonly string[] {
  if (isSame === null)
    return ['the card is of several parts: this one file has their rows, and is not compared with them']
  if (isSame) return []
  const by = card.program === programVersion() ? '' : `; version ${card.program} wrote the card`
  return [`the file is another than the card's${by}`, ...removed.map((line) => `  ${line}`)]
}

function summary(
  out: string,
  { spine, bytes, takenAt, engine, because }: EngineMade,
  seconds: number,
): string {
  const rate = Math.round(spine.rows / seconds)
  const missing = [
    ...(spine.missingKeys > 0 ? [`${spine.missingKeys} without a join key`] : []),
    ...(spine.missingTimes > 0 ? [`${spine.missingTimes} without a time`] : []),
    ...(spine.ahead > 0 ? [`${spine.ahead} later than now`] : []),
  ]
  const of = missing.length === 0 ? '' : ` (${missing.join(', ')})`
  return `${out}: ${spine.rows} rows${of}, ${bytes} bytes, by ${engine} (${because}), as of ${formatTimestamp(takenAt)}, in ${seconds.toFixed(1)} s, ${rate} rows a second; ${out}.card.json says what it was made of`
}

function warnings({ features, spine }: EngineMade): readonly string[] {
  return features
    .filter(({ statuses }) => statuses.UNAVAILABLE > 0)
    .map(
      ({ name, statuses }) =>
        `${name}: not known for ${statuses.UNAVAILABLE} of ${spine.rows} rows (UNAVAILABLE), null there; \`featuregraph status\` says why`,
    )
}
