import { rm } from 'node:fs/promises'
import type { Micros } from '../../definitions/timestamp.ts'
import { BadUserInput, errorCode, LimitExceeded, NotAvailable } from '../../errors.ts'
import { planService } from '../../online/service-row.ts'
import type { Registry } from '../../registry/registry.ts'
import type { FileStore } from '../../stores/file-reader.ts'
import type { Spine, SpineStore } from '../../stores/spine-store.ts'
import type {
  SetVersion,
  TrainingSet,
  TrainingSetFilter,
  TrainingSetRequest,
  TrainingSetStore,
} from '../../stores/training-set-store.ts'
import { planSpine } from '../spine/spine-plan.ts'
import { madeColumns } from '../training/made-columns.ts'
import { selectedFeatures } from '../training/selected-features.ts'
import { acceptRequest, type OfferedRequest } from './accept-request.ts'
import type { FilesFolder } from './files-folder.ts'
import { withoutPath } from './inspect-spine.ts'
import { spineGone } from './job-failure.ts'
import { selectionOf } from './job-sources.ts'

/** Who asks. */
export interface SetCaller {
  readonly name: string
  /** Sees those of every key. */
  readonly isAdmin: boolean
}

export interface OfferedTrainingSet extends OfferedRequest {
  readonly spineId: string
  /** Accepted already; null: none. */
  readonly idempotencyKey: string | null
}

/** Training sets as callers ask for them. All reject with StoreFailed where the database does not answer. */
export interface TrainingSets {
  /**
   * One that waits to be made; by an idempotency key that was given before, the one of then.
   * @throws BadUserInput for what the job could only fail with; LimitExceeded; NotAvailable.
   */
  readonly create: (caller: SetCaller, offered: OfferedTrainingSet) => Promise<TrainingSet>
  /** Null where there is none that the caller may see. */
  readonly find: (caller: SetCaller, id: string) => Promise<TrainingSet | null>
  readonly list: (
    caller: SetCaller,
    filter: Omit<TrainingSetFilter, 'owner'>,
  ) => Promise<readonly TrainingSet[]>
  /** @throws BadUserInput where there is none. */
  readonly cancel: (caller: SetCaller, id: string) => Promise<TrainingSet>
  /** With its files. @throws BadUserInput where there is none. */
  readonly remove: (caller: SetCaller, id: string) => Promise<void>
  /** When its files go; null: it has none. */
  readonly expiresAt: (set: Pick<TrainingSet, 'state' | 'finishedAt'>) => Micros | null
}

export interface TrainingSetParts {
  readonly registry: Registry
  readonly version: SetVersion
  readonly spines: Pick<SpineStore, 'find' | 'heldBytes'>
  readonly trainingSets: TrainingSetStore
  readonly files: Pick<FileStore, 'open'>
  /** Null: the settings name none. */
  readonly folder: FilesFolder | null
  readonly maxHeldBytes: number
  readonly retentionMicros: Micros
}

const uuid = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/

/** @throws NotAvailable */
export function requireFolder(folder: FilesFolder | null): FilesFolder {
  if (folder !== null) return folder
  throw new NotAvailable(
    'spines and training sets need a folder that all gateways share: set FEATUREGRAPH_FILES, or use `featuregraph training-set`',
  )
}

export function trainingSets(parts: TrainingSetParts): TrainingSets {
  const { registry, version, spines, trainingSets: store, files, maxHeldBytes, retentionMicros } = parts

  async function find(caller: SetCaller, id: string): Promise<TrainingSet | null> {
    const found = uuid.test(id) ? await store.find(id) : null
    return found !== null && (caller.isAdmin || found.owner === caller.name) ? found : null
  }

  async function existing(caller: SetCaller, id: string): Promise<TrainingSet> {
    const found = await find(caller, id)
    if (found) return found
    throw new BadUserInput(`there is no training set ${JSON.stringify(id)}; \`trainingSets\` lists yours`)
  }

  return {
    find,
    async create(caller, { spineId, idempotencyKey, ...offered }) {
      const folder = requireFolder(parts.folder)
      const request = acceptRequest(offered)
      const spine = uuid.test(spineId) ? await spines.find(spineId) : null
      if (spine === null || !(caller.isAdmin || spine.owner === caller.name))
        throw new BadUserInput(
          `there is no spine ${JSON.stringify(spineId)}; POST /spines answers the id of a new one`,
        )
      await checkRequest(registry, request, { spine, path: folder.spine(spine), files })
      if ((await spines.heldBytes(caller.name)) >= maxHeldBytes)
        throw new LimitExceeded(
          `the spines and training sets of a key have at most ${maxHeldBytes} bytes (FEATUREGRAPH_FILES_MAX_BYTES_PER_KEY); delete training sets that are not needed`,
        )
      const created = await store.create({
        ...{ owner: caller.name, spine, request, registry: version, idempotencyKey },
      })
      if (created.spine.id !== spine.id || !isSame(created.request, request))
        throw new BadUserInput(
          `the idempotency key ${JSON.stringify(idempotencyKey)} was used for another training set, ${created.id}; use another key`,
        )
      return created
    },
    list: (caller, filter) => store.list({ ...filter, owner: caller.isAdmin ? null : caller.name }),
    async cancel(caller, id) {
      await existing(caller, id)
      await store.cancel(id)
      return await existing(caller, id)
    },
    async remove(caller, id) {
      await existing(caller, id)
      await store.remove(id)
      // What a job writes meanwhile goes with it, or by the sweep.
      if (parts.folder) await rm(parts.folder.set(id), { recursive: true, force: true })
    },
    expiresAt: ({ state, finishedAt }) =>
      state === 'SUCCEEDED' && finishedAt !== null ? finishedAt + retentionMicros : null,
  }
}

/** @throws BadUserInput, in the words of the command. */
async function checkRequest(
  registry: Registry,
  request: TrainingSetRequest,
  { spine, path, files }: { readonly spine: Spine; readonly path: string } & Pick<TrainingSetParts, 'files'>,
): Promise<void> {
  const service = selectedFeatures(registry, selectionOf(request), request.fullNames)
  const opened = await files.open(path, spine.format).catch((error: unknown) => {
    if (errorCode(error) === 'ENOENT') throw new BadUserInput(spineGone)
    throw withoutPath(error, path, 'the spine')
  })
  try {
    const columns = madeColumns(planService(service), request)
    planSpine(
      opened,
      service,
      columns.map(({ name }) => name),
      { ...request, map: new Map(request.map) },
    )
  } finally {
    await opened.close()
  }
}

function isSame(left: TrainingSetRequest, right: TrainingSetRequest): boolean {
  const sorted = (request: TrainingSetRequest): string => JSON.stringify(Object.entries(request).sort())
  return sorted(left) === sorted(right)
}
