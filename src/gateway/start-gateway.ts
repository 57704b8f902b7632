import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import type { FastifyInstance } from 'fastify'
import { type Logger, pino } from 'pino'
import type { Config } from '../config/config.ts'
import type { Clock } from '../definitions/timestamp.ts'
import { markDemo } from '../demo/demo-mark.ts'
import { type DemoProgress, hasDemoView } from '../demo/demo-world.ts'
import { claimGateway } from '../embedded/gateway-claim.ts'
import { EmbeddedPostgresFailed } from '../errors.ts'
import { documentGate } from '../graph/document-gate.ts'
import { trustedDocuments } from '../graph/trusted-documents.ts'
import { functionsIn } from '../on-demand/functions.ts'
import { guardBelief } from '../online/guard-belief.ts'
import type { Registry } from '../registry/registry.ts'
import type { ServedVersion } from '../registry/versions/served-version.ts'
import { audit } from '../server/audit.ts'
import { authenticator } from '../server/authenticate.ts'
import { createHttpServer } from '../server/http-server.ts'
import { createMetrics } from '../server/metrics.ts'
import { serveMetrics } from '../server/metrics-server.ts'
import type { RunningProcess } from '../stores/process-registry.ts'
import { announceProcess } from './announce-process.ts'
import { appliedBy } from './applied-by.ts'
import { checkTables } from './check-tables.ts'
import { currentWorld } from './current-world.ts'
import { documentRules } from './document-rules.ts'
import { followVersions } from './follow-versions.ts'
import { gatewayWork } from './gateway-work.ts'
import { openAudit } from './open-audit.ts'
import { openStores, refuseUnsuitable, type Stores } from './open-stores.ts'
import { probeAddress, refuseAddress } from './probe-address.ts'
import { checkDependencies, onlineState, registryState } from './readiness.ts'
import { removeOldRecords } from './remove-old-records.ts'
import { reportDefinitions } from './report-definitions.ts'
import type { ApartWork } from './run-guard.ts'
import { openEventStream } from './run-stream.ts'
import type { TrainingJobApart } from './run-training-jobs.ts'
import { servedWorld } from './served-world.ts'
import { systemClock } from './system-clock.ts'
import { trainingFilesAccess } from './training-files-access.ts'
import { versionAtStart } from './version-at-start.ts'
import { watchBackgroundWork } from './watch-background-work.ts'
import { untilReadable } from './watch-guard.ts'
import { openWorkGates } from './work-gates.ts'

export interface Gateway {
  /** `http://127.0.0.1:4000` */
  readonly url: string
  readonly app: FastifyInstance
  /** Where `/metrics` is answered; null: at `url`. */
  readonly metricsUrl: string | null
  /** As of now; it is another when a newer version has come. */
  readonly served: ServedVersion
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
  /** The same for training sets. */
  readonly apartTrainingJob?: TrainingJobApart
  /** Called while the demo's history is written. */
  readonly onDemoProgress?: DemoProgress
}

/**
 * Stores → the registry's version → a world that serves it → a listening server; then new versions as they come.
 * @throws whatever of the project's errors keeps it from starting; everything opened is closed again then.
 */
export async function startGateway(settings: Config, options: StartOptions = {}): Promise<Gateway> {
  const log = options.log ?? pino({ name: 'featuregraph', level: settings.logLevel })
  const clock = options.clock ?? systemClock
  const trusted = trustedDocuments(settings.trustedDocuments)
  const metrics = createMetrics(clock, trusted.operationNames)
  await probeAddress(settings)
  const stores = await openStores(settings, { log, clock, countNonFinite: metrics.countNonFinite })
  const closers: (() => Promise<unknown>)[] = [stores.close]
  const recording = openAudit(settings.audit, stores.audit, log)
  closers.push(recording.close)
  const auditing = audit(recording.record, () => performance.now())
  let closing = false
  const close = async (): Promise<void> => {
    closing = true
    for (const closer of closers.splice(0).reverse()) await closer()
  }
  try {
    await refuseUnsuitable(stores.onlineCheck)
    if (settings.offlineUrl === null) closers.push(await claimEmbedded(stores, settings.dataFolder, log))
    // A project with definitions of its own is no demo, whatever the default.
    const isDemo = (registry: Registry): boolean => settings.demo && hasDemoView(registry)
    const mark = async (registry: Registry): Promise<void> => {
      if (isDemo(registry)) await markDemo(stores.system, settings.project, clock())
    }
    const by = appliedBy(settings)
    const applied = (version: number): void =>
      recording.record({
        ...{ who: by, address: null, requestId: null },
        ...{ action: 'APPLY', subject: `version ${version}`, outcome: 'DONE', count: 1 },
      })
    const start = { folder: settings.schemaFolder, log, by, applied, beforeFirst: mark }
    const first = await versionAtStart(stores, start)
    await mark(first.registry)
    const config = { ...settings, demo: isDemo(first.registry) }
    const gates = openWorkGates(config, { stores, metrics, log })
    closers.push(gates.close)
    const { admission, rates } = gates
    const parts = {
      ...{ config, stores, metrics, clock, log, gate: gates.gate, maxReadBytes: gates.maxReadBytes },
      ...{ belief: guardBelief(), instead: gates.instead },
      functions: functionsIn(config.schemaFolder),
      audit: auditing,
      documents: documentGate({ ...documentRules(config), trusted: trusted.texts }),
    }
    const build = async (served: ServedVersion) => {
      await checkTables(stores.offline, served.registry, log)
      const world = await servedWorld(served, parts)
      for (const line of await reportDefinitions(stores, world.registry, clock)) log.warn(line)
      return world
    }
    const worlds = currentWorld(await build(first))
    closers.push(worlds.close)
    const world = worlds.get()

    const background = watchBackgroundWork(() => worlds.get().registry, config, log)
    const { runs } = background
    // That its own work ends with it needs no line.
    const onReport = (running: readonly RunningProcess[]): void => {
      if (!closing) background.onReport(running)
    }
    const served = () => worlds.get().served
    const announced = await announceProcess(stores, { kind: 'gateway', runs, served, log, onReport })
    closers.push(announced.leave)
    background.logStart()
    const demoStream = config.demo ? await openEventStream(config) : null
    if (demoStream) closers.push(demoStream.close)
    const { apart = null, apartTrainingJob = null } = options
    const observe = metrics.stream
    const work = gatewayWork({
      ...{ config, announced, apart, apartTrainingJob, demoStream, observe, clock, log },
    })
    closers.push(work.stop)
    const watched = { guard: world.guard, online: stores.online }
    work.startGuard(world)
    const aging = new AbortController()
    const aged = removeOldRecords(stores.records, config, log, aging.signal)
    closers.push(() => {
      aging.abort()
      return aged
    })
    await untilReadable(watched, 'GUARD', readableMs)
    if (config.demo) await work.startDemo(world, options.onDemoProgress)
    work.startOthers(world)
    await untilReadable(watched, config.worker ? 'ROWS_AND_TILES' : 'ROWS', readableMs)
    await world.watch()
    world.show()

    const { host, metricsPort } = config
    const metricsServer = metricsPort === null ? null : await serveMetrics(metrics, host, metricsPort)
    if (metricsServer) closers.push(metricsServer.close)
    let draining = false
    const app = await createHttpServer({
      authenticate: authenticator(config),
      ...{ admission, rates },
      hold: worlds.hold,
      metrics,
      audit: auditing,
      checkDependencies: () => checkDependencies(stores),
      onlineState: () => onlineState(worlds.get().guard.report(), stores, config),
      exampleKeys: stores.exampleKeys,
      trainingFiles: trainingFilesAccess(config, stores),
      clock,
      backgroundState: () => ({ ...registryState(follower.state()), ...background.state() }),
      isDraining: () => draining,
      graphiqlFolder: config.graphiql ? graphiqlFolder : null,
      hasMetrics: config.metricsPort === null,
      maxConnections: config.maxConnections,
      maxBodyBytes: config.maxBodyBytes,
      corsOrigins: config.corsOrigins,
      log,
    })
    const follower = followVersions({ ...stores, log }, first, async (next) => {
      const built = await build(next)
      try {
        await built.watch()
        await built.prepareAs(worlds.get())
      } catch (error) {
        await built.close()
        throw error
      }
      worlds.swap(built)
      built.show()
      work.restart(built)
    })
    metrics.watchVersions(follower.state)
    closers.push(() => app.close())
    closers.push(follower.stop)
    const url = await app.listen({ host: config.host, port: config.port }).catch(refuseAddress(config))
    const drain = async (): Promise<void> => {
      draining = true
      await sleep(config.drainMs, undefined, { ref: false })
    }
    return {
      ...{ url, app, stores, drain, close, metricsUrl: metricsServer?.url ?? null },
      get served() {
        return worlds.get().served
      },
      get registry() {
        return worlds.get().registry
      },
      showsDemo: config.demo,
    }
  } catch (error) {
    await close()
    throw error
  }
}

async function claimEmbedded({ system }: Stores, folder: string, log: Logger): Promise<() => Promise<void>> {
  const claim = await claimGateway(system, { warn: (line) => log.warn(line) })
  if (claim) return claim.release
  throw new EmbeddedPostgresFailed(
    `another gateway runs on ${folder}; stop it, set FEATUREGRAPH_DATA to another folder, or FEATUREGRAPH_OFFLINE_URL to a Postgres that many can share`,
  )
}

const graphiqlFolder = fileURLToPath(new URL('../../dist/graphiql', import.meta.url))

/** A start waits so long for rows of the online store. */
const readableMs = 5_000
