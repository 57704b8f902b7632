import { setImmediate as nextTurn, setTimeout as pause } from 'node:timers/promises'
import type { GraphQLSchema } from 'graphql'
import type { Logger } from 'pino'
import type { Config } from '../config/config.ts'
import type { Clock } from '../definitions/timestamp.ts'
import { answerWhole } from '../graph/answer-whole.ts'
import { graphqlServer } from '../graph/apollo-server.ts'
import { buildSchema } from '../graph/build-schema.ts'
import type { AuditedDeed } from '../graph/context.ts'
import type { DocumentGate } from '../graph/document-gate.ts'
import { type KnownOperations, knownOperations } from '../graph/known-operations.ts'
import { requestContexts } from '../graph/request-context.ts'
import type { OfflineInstead } from '../graph/row-sources.ts'
import type { WorkGate } from '../graph/work-gate.ts'
import { filesFolder } from '../historical/jobs/files-folder.ts'
import { trainingSets } from '../historical/jobs/training-sets.ts'
import { type DeleteEntity, deleteEntity } from '../ingest/deletion/delete-entity.ts'
import { eventPusher } from '../ingest/push/push-events.ts'
import { type PushRows, type PushTargets, pushRows } from '../ingest/push/push-rows.ts'
import type { StreamObserver } from '../ingest/stream-observer.ts'
import { longestReach } from '../ingest/tiles/followed-sources.ts'
import type { OnComputeFailure } from '../on-demand/compute-row.ts'
import type { LoadedFunctions } from '../on-demand/functions.ts'
import { type OnlineGuard, onlineGuard } from '../online/guard.ts'
import type { GuardBelief } from '../online/guard-belief.ts'
import { liveTiles } from '../online/live-tiles.ts'
import { type OnlineFills, onlineFills } from '../online/online-fills.ts'
import { openRowLayouts, type RowLayouts } from '../online/row-layouts.ts'
import { atMostEvery } from '../rate-limit.ts'
import type { ServedVersion } from '../registry/versions/served-version.ts'
import type { Audit } from '../server/audit.ts'
import { graphqlHandler, type HttpWorld } from '../server/http-world.ts'
import type { Metrics } from '../server/metrics.ts'
import type { Stores } from './open-stores.ts'
import type { AnswerMetrics } from './threads/thread-measures.ts'
import type { ThreadAnswer, ThreadRequest } from './threads/thread-messages.ts'
import { watchGuard } from './watch-guard.ts'

/** What all worlds of a gateway share. */
export interface WorldParts {
  readonly config: Pick<
    Config,
    | 'project'
    | 'maxEntities'
    | 'maxAnswerBytes'
    | 'introspection'
    | 'suggestions'
    | 'schemaFolder'
    | 'filesFolder'
    | 'filesMaxBytesPerKey'
    | 'trainingSetRetentionMicros'
  >
  readonly stores: Stores
  readonly belief: GuardBelief
  readonly functions: LoadedFunctions
  readonly documents: DocumentGate
  readonly audit: Audit
  readonly instead: OfflineInstead
  /** What lets requests of a version run. */
  readonly gate: (served: ServedVersion) => WorkGate
  /** That one request may read of stored rows in this thread. */
  readonly maxReadBytes: number
  readonly metrics: AnswerMetrics &
    Pick<Metrics, 'watchStatuses' | 'watchOnline'> & {
      readonly stream: Pick<StreamObserver, 'caughtUp' | 'processed'>
    }
  readonly clock: Clock
  readonly log: Logger
}

/** All that answers requests by one version of the registry. */
export interface ServedWorld extends HttpWorld {
  readonly served: ServedVersion
  readonly layouts: RowLayouts
  readonly guard: OnlineGuard
  readonly fills: OnlineFills
  /**
   * Before the first request: reads what the online store holds, and keeps that as it is from then on. Rejects with
   * `StoreFailed`.
   */
  readonly watch: () => Promise<void>
  /** Compiles the operations that another world has compiled, those that were used last. */
  readonly prepareAs: (other: ServedWorld) => Promise<void>
  readonly known: KnownOperations
  /** For the main thread, in another one. */
  readonly answerApart: (request: ThreadRequest, signal: AbortSignal) => Promise<ThreadAnswer>
  /** Metrics are of this world from now on. */
  readonly show: () => void
  /** Never rejects. */
  readonly close: () => Promise<void>
}

/** A caller who deletes waits for older transactions at most this long; again later completes it. */
const deletionWaitMs = 20_000

/** @throws InvalidDefinitions when the version cannot be served; StoreFailed. Answers once it is watched. */
export async function servedWorld(served: ServedVersion, parts: WorldParts): Promise<ServedWorld> {
  const { config, stores, belief, functions, documents, audit, instead, metrics, clock, log } = parts
  const { registry } = served
  const schema = buildSchema(registry)
  await loadFunctions(served, parts)
  const layouts = await openRowLayouts(config.project, registry, stores.registry, stores.guardRecord)
  const tiles = liveTiles(layouts, registry.views, stores.generations)
  const guard = onlineGuard(layouts, registry.views, { record: stores.guardRecord, tiles, belief })
  const fills = onlineFills(registry.views, stores.fills)
  const targets = { ...stores, ...layouts, clock, storeFailed: logPushFailures(log) }
  const push: PushRows = (view, rows, pushOptions) => pushRows(targets, view, rows, pushOptions)
  const deletion = { sleep: pause, waitMs: deletionWaitMs, onWait: () => {} }
  const remove: DeleteEntity = (entity, key) => deleteEntity(targets, registry, entity, key, deletion)
  const sets = trainingSets({
    ...stores,
    ...{ registry, version: served },
    folder: config.filesFolder === null ? null : filesFolder(config.filesFolder, config.project),
    maxHeldBytes: config.filesMaxBytesPerKey,
    retentionMicros: config.trainingSetRetentionMicros,
  })
  const contexts = requestContexts({
    ...{ registry, layouts, guard, instead, fills, stores, clock, push, functions },
    onComputeFailure: logComputeFailures(metrics.countComputeFailure, log),
    observe: logFailures(metrics.observeRead, log),
    deleteEntity: remove,
    trainingSets: sets,
    changedIn: (place) => served.changedIn[place] ?? 0,
    maxReadBytes: parts.maxReadBytes,
  })
  const known = knownOperations(metrics.countEngine)
  const graphql = graphqlServer(schema, {
    contexts,
    documents,
    introspection: config.introspection,
    suggestions: config.suggestions,
    maxEntities: config.maxEntities,
    maxReadBytes: parts.maxReadBytes,
    gate: parts.gate(served),
    known,
    logger: log,
    count: metrics.countEngine,
    countRoute: metrics.countRoute,
    report: (error, requestId) =>
      log.error({ err: error, reqId: requestId }, 'an error was masked from a caller'),
    finished({ startedMs, audit: record }, name, codes) {
      metrics.observeOperation(name, codes[0] ?? 'ok', (performance.now() - startedMs) / 1_000)
      if (codes[0] !== undefined) record({ refused: codes[0] })
    },
  })
  const { apollo } = graphql
  await apollo.start()
  const closers: (() => unknown)[] = [() => apollo.stop()]
  return {
    ...{ served, registry, layouts, guard, fills, known, push, trainingSets: sets },
    answerGraphql: graphqlHandler({
      graphql,
      begin: contexts.begin,
      makeContext: contexts.make,
      documents,
      audit,
    }),
    async answerApart({ requestId, caller, payer, now, ...request }, signal) {
      const whole = { ...caller, rights: new Set(caller.rights) }
      const deeds: AuditedDeed[] = []
      const record = (deed: AuditedDeed): void => void deeds.push(deed)
      const context = contexts.make(contexts.begin(requestId, whole, payer, () => signal, record, now))
      return { ...(await answerWhole(apollo, request, context, config.maxAnswerBytes)), deeds }
    },
    pushEvents: eventPusher({
      ...targets,
      observe: metrics.stream,
      reach: (source) => longestReach(source, registry.views),
    }),
    async watch() {
      await fills.refresh(guard.refresh)
      const { online } = stores
      closers.push(watchGuard({ guard, fills, online, registry, observe: metrics.stream, log }))
    },
    prepareAs: (other) => prepare(schema, known, other.known),
    show() {
      closers.push(metrics.watchStatuses(contexts.tally))
      metrics.watchOnline(guard.report)
    },
    async close() {
      for (const closer of closers.splice(0).reverse()) await closer()
    },
  }
}

const maxPrepared = 200
/** Meanwhile the other world answers, and waits for each of them. */
const preparedMs = 1_000

async function prepare(
  schema: GraphQLSchema,
  known: KnownOperations,
  { compiled }: KnownOperations,
): Promise<void> {
  const until = performance.now() + preparedMs
  for (const operation of compiled().slice(0, maxPrepared)) {
    if (performance.now() > until) return
    known.prepare(schema, operation)
    await nextTurn()
  }
}

/** Of on-demand views: those that are in none of the files are answered UNAVAILABLE, until they are. */
async function loadFunctions(
  { version, registry }: ServedVersion,
  { functions, config, log }: Pick<WorldParts, 'functions' | 'config' | 'log'>,
): Promise<void> {
  for (const { name } of await functions.load(registry.onDemandViews))
    log.warn(
      `${name}: its function of version ${version} is not among the files in ${config.schemaFolder}; it is UNAVAILABLE (NO_FUNCTION) until they are those that were applied`,
    )
}

/** What goes wrong for one row goes wrong for thousands: a line a minute for each view and kind. */
const computeFailureLineMs = 60_000

function logComputeFailures(count: OnComputeFailure, log: Logger): OnComputeFailure {
  const isNews = atMostEvery(computeFailureLineMs)
  return (failure) => {
    count(failure)
    const { view, kind, message, cause } = failure
    if (isNews(`${view} ${kind}`))
      log.warn(
        cause === undefined ? {} : { err: cause },
        `the function of on-demand view "${view}" failed for a row, which is answered FAILED: ${message}`,
      )
  }
}

type ObserveRead = Parameters<typeof requestContexts>[0]['observe']

/** A store that is down fails every request: the log gets one line a second for each. */
const failureLineMs = 1_000

function logFailures(observe: ObserveRead, log: Logger): ObserveRead {
  const isNews = atMostEvery(failureLineMs)
  return (read) => {
    observe(read)
    if (read.error !== undefined && isNews(read.store))
      log.warn({ err: read.error, reqId: read.requestId }, `the ${read.store} store did not answer a read`)
  }
}

function logPushFailures(log: Logger): PushTargets['storeFailed'] {
  const isNews = atMostEvery(failureLineMs)
  return (store, error) => {
    if (isNews(store)) log.warn({ err: error }, `the ${store} store did not take pushed rows`)
  }
}
