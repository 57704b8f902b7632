import { GraphQLBoolean, GraphQLError, GraphQLFloat, GraphQLID } from 'graphql'
import { BadUserInput, FeaturegraphError } from '../errors.ts'
import { cardFile } from '../historical/jobs/files-folder.ts'
import { partName } from '../historical/jobs/part-name.ts'
import type { OfferedTrainingSet, SetCaller, TrainingSets } from '../historical/jobs/training-sets.ts'
import { acceptIdempotencyKey } from '../ingest/push/idempotency-key.ts'
import { trainingFormats } from '../stores/training-file.ts'
import { type TrainingSet, type TrainingSetState, trainingSetStates } from '../stores/training-set-store.ts'
import type { Caller } from './context.ts'
import {
  enumType,
  inputType,
  objectType,
  optional,
  optionalText,
  type RootDeclaration,
  type TypeClass,
  text,
} from './declare.ts'
import {
  acceptPage,
  connectionType,
  type PageInput,
  type PagePlace,
  pageArguments,
  pageOf,
  unreadable,
} from './pages.ts'
import { requireRight } from './require-right.ts'
import { int64Scalar, timestampScalar } from './scalars.ts'

interface TrainingSetRoots {
  readonly queries: Readonly<Record<string, RootDeclaration>>
  readonly mutations: Readonly<Record<string, RootDeclaration>>
}

/** Training sets as jobs: created from an uploaded spine, followed, and fetched from the addresses of their parts. */
export function declareTrainingSets(pageInfo: TypeClass): TrainingSetRoots {
  const state = enumType('TrainingSetState', trainingSetStates)
  const format = enumType(
    'TrainingSetFormat',
    trainingFormats.map((one) => one.toUpperCase()),
  )
  const set = declareTrainingSet(state, format)
  const id = { type: GraphQLID }
  return {
    queries: {
      trainingSet: {
        type: set,
        nullable: true,
        description: 'Null where there is none that the caller may see. Needs the right "train", or "admin".',
        arguments: { id },
        async resolve(_root, input, { caller, trainingSets }) {
          const found = await trainingSets.find(seer(caller), String(input['id'])).catch(notAnswered)
          return found && shown(found, trainingSets)
        },
      },
      trainingSets: {
        type: connectionType('TrainingSetConnection', set, pageInfo),
        description:
          'Those that the caller\'s key created, with the right "admin" all; newest first; first is at most 1,000.',
        arguments: { state: optional(state), ...pageArguments },
        async resolve(_root, input, { caller, trainingSets }) {
          const { state: ofState = null, ...page } = input as ListInput
          const { first, after } = acceptPage(page)
          const filter = { state: ofState, first: first + 1, after: after && placeOfSet(after) }
          const found = await trainingSets.list(seer(caller), filter).catch(unreadable('training sets'))
          const sets = found.map((one) => shown(one, trainingSets))
          return pageOf(sets, first, ({ createdAt, id: last }) => ({ at: createdAt, id: last }))
        },
      },
    },
    mutations: {
      createTrainingSet: {
        type: set,
        description:
          'From a spine that was sent to POST /spines. What the job could only fail with is refused here. Needs the right "train".',
        arguments: { input: { type: declareInput(format) } },
        async resolve(_root, { input }, { caller, trainingSets, audit }) {
          requireRight(caller, 'train')
          const offered = input as Omit<OfferedTrainingSet, 'idempotencyKey'> & {
            readonly idempotencyKey?: string | null
          }
          const idempotencyKey = acceptIdempotencyKey(offered.idempotencyKey)
          const created = await trainingSets
            .create(seer(caller), { ...offered, idempotencyKey })
            .catch(notAnswered)
          audit({ action: 'CREATE_TRAINING_SET', subject: created.id, count: 1 })
          return shown(created, trainingSets)
        },
      },
      cancelTrainingSet: {
        type: set,
        description: 'One that has ended stays as it is.',
        arguments: { id },
        async resolve(_root, input, { caller, trainingSets, audit }) {
          const cancelled = await trainingSets.cancel(seer(caller), String(input['id'])).catch(notAnswered)
          audit({ action: 'CANCEL_TRAINING_SET', subject: cancelled.id, count: 1 })
          return shown(cancelled, trainingSets)
        },
      },
      deleteTrainingSet: {
        type: GraphQLID,
        description: 'Removes the files too, and answers the id.',
        arguments: { id },
        async resolve(_root, input, { caller, trainingSets, audit }) {
          await trainingSets.remove(seer(caller), String(input['id'])).catch(notAnswered)
          audit({ action: 'DELETE_TRAINING_SET', subject: String(input['id']), count: 1 })
          return input['id']
        },
      },
    },
  }
}

function declareTrainingSet(state: object, format: object): TypeClass {
  const part = objectType('TrainingSetPart', null, {
    url: { ...text, description: "At the gateway's address; takes range requests." },
    format: { type: format },
    rows: { type: int64Scalar },
    bytes: { type: int64Scalar },
    sha256: text,
  })
  return objectType('TrainingSet', null, {
    id: { type: GraphQLID },
    state: { type: state },
    progress: { type: GraphQLFloat, description: '0 to 1.' },
    rows: optional(int64Scalar, 'Of the spine, and so of all parts.'),
    knownAt: optionalText,
    createdAt: { type: timestampScalar },
    finishedAt: optional(timestampScalar),
    expiresAt: optional(timestampScalar, 'When its files are removed.'),
    error: optionalText,
    errorCode: optionalText,
    cardUrl: { ...optionalText, description: 'What it was made of, as JSON.' },
    parts: { type: [part], description: "Those that are finished, in the spine's order." },
  })
}

function declareInput(format: object): TypeClass {
  const mapping = inputType('ColumnMappingInput', 'A column that is called otherwise.', {
    column: { ...text, description: 'Of the spine.' },
    is: { ...text, description: "A join key, a request value, or event_timestamp: the rows' times." },
  })
  const flag = { ...optional(GraphQLBoolean), defaultValue: false }
  return inputType(
    'CreateTrainingSetInput',
    'Exactly one of service and features. knownAt as on the command line: a time, row, or row+<duration>.',
    {
      spineId: { type: GraphQLID },
      service: optionalText,
      features: { ...optional([text.type]), description: 'Each as view:feature, or view for all of a view.' },
      format: { ...optional(format), defaultValue: 'PARQUET' },
      knownAt: optionalText,
      columns: optional([mapping]),
      vector: { ...flag, description: "With a column of the service's vectors." },
      statuses: { ...flag, description: 'With a column per feature that says why a value is null.' },
      fullNames: { ...flag, description: 'Features are called <view>__<feature>.' },
      timeUnit: {
        ...optionalText,
        description: 'What times that are numbers count from 1970 on: s, ms, us or ns.',
      },
      timezone: { ...optionalText, description: 'Of times without an offset, as Europe/Zurich or UTC.' },
      idempotencyKey: {
        ...optionalText,
        description: 'The same again answers the training set that was created by it.',
      },
    },
  )
}

interface ListInput extends PageInput {
  readonly state?: TrainingSetState | null
}

/** @throws Forbidden without the rights to see any. */
function seer({ name, rights }: Caller): SetCaller {
  if (!rights.has('admin')) requireRight({ rights }, 'train')
  return { name, isAdmin: rights.has('admin') }
}

function shown(set: TrainingSet, { expiresAt }: Pick<TrainingSets, 'expiresAt'>) {
  const { id, spine, request, card, parts } = set
  const folder = `/training-sets/${id}`
  return {
    ...set,
    ...{ rows: spine.rows, knownAt: request.knownAt, expiresAt: expiresAt(set) },
    cardUrl: card === null || set.state !== 'SUCCEEDED' ? null : `${folder}/${cardFile}`,
    parts: parts.map(({ part, rows, bytes, sha256 }) => ({
      ...{ url: `${folder}/${partName(part, request.format)}`, format: request.format.toUpperCase() },
      ...{ rows, bytes, sha256 },
    })),
  }
}

/** What a caller can do something about is reported; a store's own words are not. */
function notAnswered(error: unknown): never {
  if (!(error instanceof FeaturegraphError)) throw error
  const { code } = error
  if (code !== 'UNAVAILABLE' && code !== 'STORE_FAILED') throw error
  const message = code === 'UNAVAILABLE' ? error.message : 'training sets cannot be read at present'
  throw new GraphQLError(message, { originalError: error, extensions: { code: 'UNAVAILABLE' } })
}

const uuid = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/

/** @throws BadUserInput for a cursor of another list. */
function placeOfSet({ at, id }: PagePlace): { readonly id: string; readonly createdAt: number } {
  if (!uuid.test(id)) throw new BadUserInput('after: expected the endCursor of a page of trainingSets')
  return { id, createdAt: at }
}
