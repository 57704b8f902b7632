import { rename, rm } from 'node:fs/promises'
import path from 'node:path'
import { HistoryRemoved, NotReproduced, OtherDatabase, OtherDefinitions, OtherSpine } from '../../errors.ts'
import { planService } from '../../online/service-row.ts'
import { readSpine } from '../spine/read-spine.ts'
import { planSpine } from '../spine/spine-plan.ts'
import {
  type CardedRequest,
  type CardedSources,
  type CardedTrainingSet,
  makeCardedTrainingSet,
} from './carded-training-set.ts'
import { countRemoved } from './count-removed.ts'
import { madeColumns } from './made-columns.ts'
import type { TrainingCard } from './read-card.ts'
import { usedDefinitions } from './used-definitions.ts'

export interface RemakeRequest extends Omit<CardedRequest, 'options' | 'again' | 'engine'> {
  readonly card: TrainingCard
  /** Of what is left, where rows were deleted or dropped since; the file is then another one. */
  readonly allowDeletions: boolean
}

export interface RemadeTrainingSet extends CardedTrainingSet {
  /** Whether it is the card's, byte for byte; null: the card's stands in several parts, which one file is not compared with. */
  readonly isSame: boolean | null
  /** What is not there any more, as `countRemoved` says it. */
  readonly removed: readonly string[]
}

const spineBatch = 20_000

/**
 * The training set of a card once more, on the snapshot that the card names. It is the same file where this program's version
 * is the card's; another one is kept only of another version, or with `allowDeletions`.
 * @throws OtherDatabase, OtherDefinitions, OtherSpine, HistoryRemoved before anything is made; NotReproduced; what
 * `makeTrainingSet` throws.
 */
export async function remakeTrainingSet(
  sources: CardedSources,
  { card, allowDeletions, ...request }: RemakeRequest,
): Promise<RemadeTrainingSet> {
  const { out, service, spine } = request
  await checkDatabase(card, sources)
  if (usedDefinitions(service) !== card.usedDefinitions)
    throw new OtherDefinitions(
      `the features of this training set, or their service, are not defined as when its card was written (registry version ${card.registryVersion}, now ${sources.world.registryVersion}); \`featuregraph history\` shows what changed since`,
    )
  const found = await sources.files.digest(spine)
  if (found !== card.spine.sha256)
    throw new OtherSpine(
      `${(request.spineSql ?? null) === null ? spine : 'what the statement answers now'} is not the spine of this card: expected ${card.spine.file ?? 'its rows'} of sha-256 ${card.spine.sha256}, got ${found}`,
    )
  const removed = await removedSince(card, sources, request)
  if (removed.length > 0 && !allowDeletions)
    throw new HistoryRemoved(
      [
        'what this training set was made of is not all there any more:',
        ...removed.map((line) => `  ${line}`),
        'the same file cannot be made; --allow-deletions makes one of what is left',
      ].join('\n'),
    )
  const written = `${out}.again`
  try {
    const again = {
      visible: card.database.snapshot,
      takenAt: card.takenAt,
      files: card.files,
      name: path.basename(out),
    }
    const { options, engine } = card
    const carded = await makeCardedTrainingSet(sources, { ...request, options, engine, again, out: written })
    const isSame = card.outputSha256 === null ? null : carded.sha256 === card.outputSha256
    if (isSame === false && !allowDeletions && card.program === sources.world.program)
      throw notReproduced(card)
    await rename(written, out)
    return { ...carded, isSame, removed }
  } finally {
    await rm(written, { force: true })
  }
}

async function checkDatabase(card: TrainingCard, { changes, world }: CardedSources): Promise<void> {
  if (card.project !== world.project)
    throw new OtherDatabase(`the card is of project "${card.project}", this is project "${world.project}"`)
  const { systemIdentifier, id } = await changes.identity()
  if (card.database.systemIdentifier !== systemIdentifier || card.database.id !== id)
    throw new OtherDatabase(
      `the card is of another database (system identifier ${card.database.systemIdentifier}, this one has ${systemIdentifier}): which rows were there can be known only in the database that the training set was made in`,
    )
  if (!(await changes.hasReached(card.database.snapshot)))
    throw new OtherDatabase(
      'the database was restored to a time before the training set was made: its transactions since are others than those of the card',
    )
}

function removedSince(
  card: TrainingCard,
  { files, changes }: CardedSources,
  { service, spine }: Pick<RemakeRequest, 'service' | 'spine'>,
): Promise<readonly string[]> {
  const { options } = card
  const names = madeColumns(planService(service), options).map(({ name }) => name)
  return countRemoved(card, service, changes, async function* () {
    const opened = await files.open(spine, options.spineFormat)
    try {
      const plan = planSpine(opened, service, names, options)
      yield* readSpine(opened, plan, { ...options, rows: null }, spineBatch)
    } finally {
      await opened.close()
    }
  })
}

function notReproduced({ notReproducible, outputSha256 }: TrainingCard): NotReproduced {
  const views = notReproducible.map((name) => `"${name}"`).join(', ')
  const why =
    views === ''
      ? 'rows were changed in the database by others, or its tables were rebuilt'
      : `${views} read tables of others, which do not say what was in them`
  return new NotReproduced(
    `the training set came out as another file than the card's (sha-256 ${outputSha256}): ${why}; nothing was written`,
  )
}
