import { parentPort, workerData } from 'node:worker_threads'
import { pino } from 'pino'
import { messageOf, RegistryUnreadable } from '../../errors.ts'
import { openGate } from '../../graph/work-gate.ts'
import { functionsIn } from '../../on-demand/functions.ts'
import { guardBelief } from '../../online/guard-belief.ts'
import { servedVersion } from '../../registry/versions/served-version.ts'
import { attachPostgres } from '../open-postgres.ts'
import { storesOn } from '../open-stores.ts'
import { type ServedWorld, servedWorld } from '../served-world.ts'
import { systemClock } from '../system-clock.ts'
import { untilReadable } from '../watch-guard.ts'
import { giveWay } from './main-thread-first.ts'
import { measureCollector } from './thread-measures.ts'
import type { FromThread, ThreadRequest, ThreadStart, ToThread } from './thread-messages.ts'
import { threadTurns } from './thread-turns.ts'
import { threadWorlds } from './thread-worlds.ts'

/** A thread of the gateway that answers what is large, with connections and worlds of its own; ended from outside. */
const readableMs = 5_000
/** A large answer may hold its own thread up for longer than an online read may take. */
const leastOnlineTimeoutMs = 2_000

const port = parentPort
if (port === null) throw new TypeError('a thread of the gateway was not started by it')
const send = (message: FromThread, transfer: readonly ArrayBuffer[] = []): void =>
  port.postMessage(message, transfer)

const { config: given } = workerData as ThreadStart
const config = { ...given, onlineTimeoutMs: Math.max(given.onlineTimeoutMs, leastOnlineTimeoutMs) }
const log = pino({ level: config.logLevel }, { write: (line: string) => send({ kind: 'logged', line }) })
giveWay()
const measures = measureCollector()
const turns = threadTurns(send)
const { countNonFinite } = measures.metrics
const postgres = attachPostgres(config.offlineUrl ?? '', log)
const stores = await storesOn(postgres, config, { log, clock: systemClock, countNonFinite })
const shared = {
  ...{ config, stores, log, gate: () => openGate, maxReadBytes: config.maxAnswerBytes },
  ...{ belief: guardBelief(), functions: functionsIn(config.schemaFolder), clock: systemClock },
  instead: {
    forUnavailable: config.onlineFallback,
    forMisses: config.onlineVerifyMisses,
    takeTurn: turns.take,
  },
  audit: { done: () => {}, refused: () => {} },
  // What comes here was parsed and valid in the main thread.
  documents: { admit: () => {}, spent: () => {}, isValid: () => {} },
  metrics: {
    ...measures.metrics,
    watchStatuses: measures.watch,
    // The main thread watches the same store.
    watchOnline: () => {},
    stream: { caughtUp: () => {}, processed: () => {} },
  },
}
const worlds = threadWorlds(build)

async function build(version: number): Promise<ServedWorld> {
  const stored = await stores.versions.read(version)
  if (stored === null) throw new RegistryUnreadable(`the registry has no version ${version}`)
  const world = await servedWorld(servedVersion(stored), shared)
  await untilReadable({ guard: world.guard, online: stores.online }, 'GUARD', readableMs)
  await world.watch()
  world.show()
  return world
}

const callers = new Map<number, AbortController>()

async function answer(id: number, request: ThreadRequest): Promise<void> {
  const gone = new AbortController()
  callers.set(id, gone)
  try {
    postgres.moveTo(request.offlineUrl)
    const { world, release } = await worlds.hold(request.version)
    const answered = await world.answerApart(request, gone.signal).finally(release)
    const { buffer } = answered.body
    // First, so that who has the answer finds it counted.
    send({ kind: 'measured', measures: measures.take() })
    send({ kind: 'answered', id, answer: answered }, buffer instanceof ArrayBuffer ? [buffer] : [])
  } catch (error) {
    send({ kind: 'failed', id, message: messageOf(error) })
  } finally {
    callers.delete(id)
  }
}

port.on('message', (message: ToThread) => {
  if (message.kind === 'answer') void answer(message.id, message.request)
  else if (message.kind === 'turn') turns.answered(message.turn, message.isGiven)
  else callers.get(message.id)?.abort()
})
