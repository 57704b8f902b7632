import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import type { FastifyInstance } from 'fastify'
import { type Logger, pino } from 'pino'
import type { Config } from '../config.ts'
import type { Clock } from '../definitions/timestamp.ts'
import { markDemo } from '../demo/demo-mark.ts'
import { type DemoProgress, demoWorld, hasDemoView } from '../demo/demo-world.ts'
import { claimGateway } from '../embedded/gateway-claim.ts'
import { EmbeddedPostgresFailed, StoreUnsuitable } from '../errors.ts'
import { apolloServer } from '../graph/apollo-server.ts'
import { buildSchema } from '../graph/build-schema.ts'
import { requestContexts } from '../graph/request-context.ts'
import type { OfflineInstead } from '../graph/row-sources.ts'
import { type DeleteEntity, deleteEntity } from '../ingest/deletion/delete-entity.ts'
import { eventPusher } from '../ingest/push/push-events.ts'
import { type PushRows, type PushTargets, pushRows } from '../ingest/push/push-rows.ts'
import { fillProgress } from '../ingest/refill/fill-progress.ts'
import { longestReach } from '../ingest/tiles/followed-sources.ts'
import { type GuardReport, onlineGuard } from '../online/guard.ts'
import { liveTiles } from '../online/live-tiles.ts'
import { onlineFills } from '../online/online-fills.ts'
import { openRowLayouts } from '../online/row-layouts.ts'
import { atMostEvery } from '../rate-limit.ts'
import { loadRegistry } from '../registry/load.ts'
import type { Registry } from '../registry/registry.ts'
import { authenticator } from '../server/authenticate.ts'
import { createHttpServer, type Dependency, type OnlineState } from '../server/http-server.ts'
import { createMetrics } from '../server/metrics.ts'
import type { RunningProcess } from '../stores/process-registry.ts'
import { announceProcess } from './announce-process.ts'
import { makeTables } from './make-tables.ts'
import { openStores, refuseUnsuitable, type Stores } from './open-stores.ts'
import { probeAddress, refuseAddress } from './probe-address.ts'
import { reportDefinitions } from './report-definitions.ts'
import { type ApartWork, openGuard } from './run-guard.ts'
import { openEventStream, openStream } from './run-stream.ts'
import { openWorker } from './run-worker.ts'
import { systemClock } from './system-clock.ts'
import { watchBackgroundWork } from './watch-background-work.ts'
import { untilReadable, watchGuard } from './watch-guard.ts'

export interface Gateway {
  /** `http://127.0.0.1:4000` */
  readonly url: string
  readonly app: FastifyInstance
  readonly registry: Registry
  readonly stores: Stores
  readonly showsDemo: boolean
  /**
   * From now on `/readyz` says `draining`, and connections end with their answer; requests are answered as before. Resolves
   * when the settings' time for it is over.
   */
  readonly drain: () => Promise<void>
  /** Finishes what is running, then closes the stores. */
  readonly close: () => Promise<void>
}

export interface StartOptions {
  readonly log?: Logger
  readonly clock?: Clock
  /** For work that would hold the gateway up; default: it does that itself. */
  readonly apart?: ApartWork
  /** Called while the demo's history is written. */
  readonly onDemoProgress?: DemoProgress
}

/** A caller who deletes waits for older transactions at most this long; again later completes it. */
const deletionWaitMs = 20_000

/**
 * Definitions → registry → stores → schema → a listening server.
 * @throws whatever of the project's errors keeps it from starting; everything opened is closed again then.
 */
export async function startGateway(settings: Config, options: StartOptions = {}): Promise<Gateway> {
  const log = options.log ?? pino({ name: 'featuregraph', level: settings.logLevel })
  const clock = options.clock ?? systemClock
  const metrics = createMetrics(clock)
  const registry = await loadRegistry(settings.schemaFolder)
  // A project with definitions of its own is no demo, whatever the default.
  const config = { ...settings, demo: settings.demo && hasDemoView(registry) }
  await probeAddress(config)
  const stores = await openStores(config, { log, clock, countNonFinite: metrics.countNonFinite })
  const closers: (() => Promise<unknown>)[] = [stores.close]
  let closing = false
  const close = async (): Promise<void> => {
    closing = true
    for (const closer of closers.splice(0).reverse()) await closer()
  }
  try {
    await refuseUnsuitable(stores.onlineCheck)
    if (config.offlineUrl === null) closers.push(await claimEmbedded(stores, config.dataFolder, log))
    if (config.demo) await markDemo(stores.system, config.project, clock())
    const layouts = await openRowLayouts(config.project, registry, stores.registry, stores.guardRecord)
    await makeTables(stores.offline, registry, log)
    for (const line of await reportDefinitions(stores, registry, clock)) log.warn(line)
    const background = watchBackgroundWork(registry, config, log)
    const { runs } = background
    // That its own work ends with it needs no line.
    const onReport = (running: readonly RunningProcess[]): void => {
      if (!closing) background.onReport(running)
    }
    const announced = await announceProcess(stores, { kind: 'gateway', runs, registry, log, onReport })
    closers.push(announced.leave)
    background.logStart()
    const world = { config, registry, stores: announced.stores, layouts, observe: metrics.stream, clock, log }
    const tiles = liveTiles(layouts, registry.views, stores.generations)
    const guard = onlineGuard(layouts, registry.views, { record: stores.guardRecord, tiles })
    const fills = onlineFills(registry.views, stores.fills)
    const watched = { ...world, guard, fills, online: stores.online, observe: metrics.stream }
    const { apart = null } = options
    closers.push(
      inBackground(log, "the holder of the online store's guard", (signal) =>
        openGuard(world, { signal, apart }),
      ),
    )
    await untilReadable(watched, 'GUARD', readableMs)
    const stream = config.demo ? await openEventStream(config) : null
    if (stream) closers.push(stream.close)
    const demo = config.demo ? demoWorld({ ...world, project: config.project, stream }) : null
    if (demo) {
      await demo.bringUpToNow(options.onDemoProgress)
      // The streaming views answer of the history as soon as anyone can ask.
      await openStream(world, { once: true, signal: new AbortController().signal })
      closers.push(inBackground(log, 'the demo', demo.goOn))
    }
    if (config.worker) {
      const part = (work: 'worker' | 'stream', run: (signal: AbortSignal) => Promise<unknown>) =>
        inBackground(log, `the ${work}`, (signal) => run(signal).finally(() => announced.ended(work)))
      closers.push(part('worker', (signal) => openWorker(world, { once: false, signal })))
      closers.push(part('stream', (signal) => openStream(world, { once: false, signal })))
    }

    await untilReadable(watched, config.worker ? 'ROWS_AND_TILES' : 'ROWS', readableMs)
    await fills.refresh(guard.refresh)
    closers.push(watchGuard(watched))
    const targets = { ...stores, ...layouts, clock, storeFailed: logPushFailures(log) }
    const push: PushRows = (view, rows, pushOptions) => pushRows(targets, view, rows, pushOptions)
    const deletion = { sleep, waitMs: deletionWaitMs, onWait: () => {} }
    const remove: DeleteEntity = (entity, key) => deleteEntity(targets, registry, entity, key, deletion)
    const contexts = requestContexts({
      registry,
      layouts,
      guard,
      instead: offlineInstead(config),
      fills,
      stores,
      clock,
      observe: logFailures(metrics.observeRead, log),
      push,
      deleteEntity: remove,
      // The definitions are those of files.
      changedIn: () => 0,
    })
    metrics.watchStatuses(contexts.tally)
    metrics.watchOnline(guard.report)
    const apollo = apolloServer(buildSchema(registry), {
      maxEntities: config.maxEntities,
      logger: log,
      count: metrics.countEngine,
      report: (error, requestId) =>
        log.error({ err: error, reqId: requestId }, 'an error was masked from a caller'),
      finished: (context, name, codes) =>
        metrics.observeOperation(name, codes[0] ?? 'ok', (performance.now() - context.startedMs) / 1_000),
    })
    await apollo.start()
    closers.push(() => apollo.stop())
    let draining = false
    const app = await createHttpServer({
      apollo,
      authenticate: authenticator(config),
      makeContext: contexts.make,
      registry,
      push,
      pushEvents: eventPusher({
        ...targets,
        observe: metrics.stream,
        reach: (source) => longestReach(source, registry.views),
      }),
      metrics,
      checkDependencies: () => checkDependencies(stores),
      onlineState: () => onlineState(guard.report(), stores, config),
      exampleKeys: stores.exampleKeys,
      clock,
      backgroundState: background.state,
      isDraining: () => draining,
      graphiqlFolder: fileURLToPath(new URL('../../dist/graphiql', import.meta.url)),
      maxBodyBytes: config.maxBodyBytes,
      corsOrigins: config.corsOrigins,
      log,
    })
    closers.push(() => app.close())
    const url = await app.listen({ host: config.host, port: config.port }).catch(refuseAddress(config))
    const drain = async (): Promise<void> => {
      draining = true
      await sleep(config.drainMs, undefined, { ref: false })
    }
    return { url, app, registry, stores, showsDemo: config.demo, drain, close }
  } catch (error) {
    await close()
    throw error
  }
}

function offlineInstead(config: Config): OfflineInstead {
  const { onlineFallback, onlineVerifyMisses, onlineFallbackConcurrency } = config
  let running = 0
  return {
    forUnavailable: onlineFallback,
    forMisses: onlineVerifyMisses,
    takeTurn() {
      if (running >= onlineFallbackConcurrency) return null
      running += 1
      return () => {
        running -= 1
      }
    },
  }
}

async function claimEmbedded({ system }: Stores, folder: string, log: Logger): Promise<() => Promise<void>> {
  const claim = await claimGateway(system, { warn: (line) => log.warn(line) })
  if (claim) return claim.release
  throw new EmbeddedPostgresFailed(
    `another gateway runs on ${folder}; stop it, set FEATUREGRAPH_DATA to another folder, or FEATUREGRAPH_OFFLINE_URL to a Postgres that many can share`,
  )
}

/** A start waits so long for rows of the online store. */
const readableMs = 5_000

/** Answers how to stop: what is under way is waited for. */
function inBackground(
  log: Logger,
  name: string,
  run: (signal: AbortSignal) => Promise<unknown>,
): () => Promise<void> {
  const stopping = new AbortController()
  const running = run(stopping.signal).catch((error: unknown) =>
    log.error({ err: error }, `${name} has ended`),
  )
  return async () => {
    stopping.abort()
    await running
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

/** A probe asks every few seconds: what takes longer than this is as good as down. */
const readinessTimeoutMs = 2_000

async function checkDependencies(stores: Stores): Promise<Readonly<Record<string, Dependency>>> {
  const [online, offline] = await Promise.all([readiness(stores.online), readiness(stores.offline)])
  return { [`online (${stores.online.name})`]: online, 'offline (postgres)': offline }
}

async function onlineState(
  { refused, views }: GuardReport,
  { runs }: Pick<Stores, 'runs'>,
  { onlineFallback }: Pick<Config, 'onlineFallback'>,
): Promise<OnlineState> {
  const lacking = [...views].flatMap(([{ id, name: view }, reason]) =>
    reason === null ? [] : [{ id, view, reason }],
  )
  const unknown: ReadonlyMap<string, number> = new Map()
  // A database that hangs does not keep the probe waiting.
  const late = () => sleep(readinessTimeoutMs, unknown, { ref: false })
  const progress =
    lacking.length === 0 ? unknown : await Promise.race([fillProgress(runs).catch(() => unknown), late()])
  return {
    refused: onlineFallback ? null : refused,
    views: lacking.map(({ id, ...one }) => ({ ...one, rowsRead: progress.get(id) ?? null })),
  }
}

async function readiness(store: { readonly ping: () => Promise<void> }): Promise<Dependency> {
  const answered = store.ping().then(
    (): Dependency => ({ up: true, failed: null }),
    (error: unknown): Dependency => ({ up: false, failed: error instanceof StoreUnsuitable ? error : null }),
  )
  return await Promise.race([
    answered,
    sleep<Dependency>(readinessTimeoutMs, { up: false, failed: null }, { ref: false }),
  ])
}
