import assert from 'node:assert/strict'
import {
  execute,
  type FormattedExecutionResult,
  type GraphQLFormattedError,
  type GraphQLSchema,
  parse,
  validate,
} from 'graphql'
import { type Micros, parseTimestamp } from '../../src/definitions/timestamp.ts'
import type { FeatureRow } from '../../src/definitions/value.ts'
import { StoreFailed } from '../../src/errors.ts'
import { graphqlServer } from '../../src/graph/apollo-server.ts'
import { buildSchema } from '../../src/graph/build-schema.ts'
import type { AskingRequest, GraphContext } from '../../src/graph/context.ts'
import { requestContexts } from '../../src/graph/request-context.ts'
import { acceptRow, type OfferedRow } from '../../src/ingest/accept/accept-row.ts'
import { deleteEntity } from '../../src/ingest/deletion/delete-entity.ts'
import { pushRows } from '../../src/ingest/push/push-rows.ts'
import type { ComputeFailure } from '../../src/on-demand/compute-row.ts'
import { functionsOf, type OnDemandFunctions } from '../../src/on-demand/functions.ts'
import { onlineGuard } from '../../src/online/guard.ts'
import { liveTiles } from '../../src/online/live-tiles.ts'
import { openRowLayouts, type RowLayouts } from '../../src/online/row-layouts.ts'
import { filled } from '../../src/online/view-reader.ts'
import { buildRegistry } from '../../src/registry/build-registry.ts'
import type { Registry, StoredView } from '../../src/registry/registry.ts'
import type { AsOfJoin } from '../../src/stores/as-of-reader.ts'
import { memoryOnlineStore } from '../../src/stores/memory/online-store.ts'
import type { OfflineStore } from '../../src/stores/offline-store.ts'
import type { OnlineStore } from '../../src/stores/online-store.ts'
import { guardText } from '../../src/stores/online-value/guard-text.ts'
import type { KnownLayout, RegistryStore } from '../../src/stores/registry-store.ts'
import type { StoredRowsRequest } from '../../src/stores/stored-rows.ts'
import { writeRows } from '../ingest/push/write-rows.ts'
import { noTombstones, wholeGuardRecord } from '../oracle/memory-guard-record.ts'
import { memoryOfflineStore } from '../oracle/memory-offline-store.ts'
import { memoryRunStore } from '../oracle/memory-run-store.ts'
import { memoryViolationStore } from '../oracle/memory-violation-store.ts'

/** `2026-11-20T12:00:00Z` → microseconds. */
export function at(text: string): Micros {
  const micros = parseTimestamp(text)
  if (micros === null) throw new Error(`${text} is no timestamp`)
  return micros
}

/** What the clock of every test here says. */
export const now = at('2026-11-23T12:00:00Z')
export const second = 1_000_000
export const hour = 3_600 * second
export const day = 24 * hour

type Store = 'online' | 'offline'

export interface Operation {
  readonly query: string
  readonly variables?: Readonly<Record<string, unknown>>
  readonly operationName?: string
}

export interface Answer {
  readonly data?: Readonly<Record<string, unknown>> | null
  readonly errors?: readonly GraphQLFormattedError[]
}

export interface Served {
  /** Past Apollo; by Apollo; by Apollo of what was read past it. */
  readonly route: 'DIRECT' | 'APOLLO' | 'HANDED_OVER'
  readonly text: string
}

export interface World {
  /** How often each status was answered, by view. */
  readonly statuses: () => Readonly<Record<string, Readonly<Record<string, number>>>>
  readonly registry: Registry
  readonly schema: GraphQLSchema
  readonly layouts: RowLayouts
  /** What the stores were asked since `forget`, in order. */
  readonly reads: { readonly online: (readonly string[])[]; readonly offline: AsOfJoin[] }
  /** Of stored rows, since `forget`. */
  readonly historyReads: StoredRowsRequest[]
  /** The rows of every push without an idempotency key that reached the offline store, in order. */
  readonly inserted: readonly (readonly FeatureRow[])[]
  /** What the executor reported of its engines. */
  readonly engineEvents: string[]
  /** What was masked from callers. */
  readonly masked: unknown[]
  /** What functions of on-demand views did wrong. */
  readonly computeFailures: ComputeFailure[]
  readonly forget: () => void
  /** Every later read of the store fails, until it is mended. */
  readonly breakStore: (store: Store, error?: unknown) => void
  readonly mendStore: (store: Store) => void
  /** Bytes that the online store holds, whatever they are. */
  readonly putOnline: (key: string, bytes: Buffer) => void
  readonly write: (view: string, ...rows: readonly OfferedRow[]) => Promise<void>
  readonly makeContext: () => GraphContext
  /** As Apollo answers it, as JSON. A new request each time; `context` replaces parts of the request's own. */
  readonly run: (operation: Operation, context?: Partial<GraphContext>) => Promise<Answer>
  /** The answer's own text, past Apollo where the gateway would answer it so. */
  readonly runServed: (operation: Operation) => Promise<Served>
  /** The same by graphql-js alone, without Apollo and without the executor. */
  readonly runPlain: (operation: Operation, context?: Partial<GraphContext>) => Promise<Answer>
}

interface WorldOptions {
  /** Without them those of the definitions. */
  readonly functions?: OnDemandFunctions
  readonly maxEntities?: number
}

/** A gateway without HTTP: definitions → schema → Apollo, over memory stores that note what they were asked. */
export async function makeWorld(definitions: readonly unknown[], options: WorldOptions = {}): Promise<World> {
  const exported = definitions.map((value, index) => ({ path: `definition ${index}`, value }))
  const registry = buildRegistry(exported)
  const guardRecord = wholeGuardRecord(registry.views.map(({ name }) => name))
  const layouts = await openRowLayouts('test', registry, memoryRegistryStore(), guardRecord)
  const schema = buildSchema(registry)
  const reads: World['reads'] = { online: [], offline: [] }
  const historyReads: StoredRowsRequest[] = []
  const failures: Partial<Record<Store, unknown>> = {}
  const foreignBytes = new Map<string, Buffer>()
  const inserted: (readonly FeatureRow[])[] = []
  const online = memoryOnlineStore(() => now)
  const offline = memoryOfflineStore()
  const readNoted: OnlineStore['readMany'] = async (keys) => {
    reads.online.push(keys)
    if (failures.online) throw failures.online
    const read = await online.readMany(keys)
    const rows = read.rows.map((found, index) => foreignBytes.get(keys[index] ?? '') ?? found)
    return { ...read, rows }
  }
  const notedOnline: OnlineStore = { ...online, readMany: readNoted, readWithin: readNoted }
  const notedOffline: OfflineStore = {
    ...offline,
    now: async () => now,
    insertRows: async (view, rows, dueAt) => {
      inserted.push(rows)
      return offline.insertRows(view, rows, dueAt)
    },
    asOfJoin: async (join, signal) => {
      reads.offline.push(join)
      if (failures.offline) throw failures.offline
      return offline.asOfJoin(join, signal)
    },
    storedRows: async (request, signal) => {
      historyReads.push(request)
      if (failures.offline) throw failures.offline
      return offline.storedRows(request, signal)
    },
  }
  const violations = memoryViolationStore()
  const pushTargets = {
    ...{ offline: notedOffline, online, ...layouts, clock: () => now },
    storeFailed: () => {},
    violations,
    generations: { list: async () => [], retireOthers: async () => {} },
    tombstones: noTombstones,
    events: { now: async () => now, positions: async () => [] },
  }
  const tiles = liveTiles(layouts, registry.views, pushTargets.generations)
  const guard = onlineGuard(layouts, registry.views, { record: guardRecord, tiles })
  await online.writeMarker(online.guardName, guardText({ epoch: 1, tick: 1 }))
  await guard.refresh()
  const computeFailures: ComputeFailure[] = []
  const contexts = requestContexts({
    registry,
    layouts,
    guard,
    instead: { forUnavailable: false, forMisses: false, takeTurn: () => null },
    fills: { find: () => filled },
    stores: {
      online: notedOnline,
      offline: notedOffline,
      runs: memoryRunStore(),
      processes: { running: async () => [] },
      violations,
      versions: { list: async () => [] },
    },
    functions: options.functions ?? functionsOf(exported),
    onComputeFailure: (failure) => computeFailures.push(failure),
    changedIn: () => 0,
    trainingSets: noTrainingSets,
    maxReadBytes: 4_194_304,
    clock: () => now,
    observe: () => {},
    push: (view, rows, pushOptions) => pushRows(pushTargets, view, rows, pushOptions),
    deleteEntity: (entity, key) =>
      deleteEntity({ ...pushTargets, deletions: offline.deletions }, registry, entity, key, {
        sleep: async () => {},
        waitMs: null,
        onWait: () => {},
      }),
  })
  const engineEvents: string[] = []
  const masked: unknown[] = []
  const { apollo, answerKnown } = graphqlServer(schema, {
    contexts,
    maxEntities: options.maxEntities ?? 1_000,
    maxReadBytes: 4_194_304,
    logger: console,
    count: (event) => engineEvents.push(event),
    countRoute: () => {},
    report: (error) => masked.push(error),
    finished: () => {},
  })
  await apollo.start()
  const begin = (): AskingRequest =>
    contexts.begin(
      'request-1',
      { name: 'test', rights: new Set(['read']) },
      'key test',
      () => new AbortController().signal,
      () => {},
    )
  const makeContext = (): GraphContext => contexts.make(begin())

  async function byApollo({ query, variables = {}, operationName }: Operation, contextValue: GraphContext) {
    const request = { query, variables, ...(operationName === undefined ? {} : { operationName }) }
    const { body } = await apollo.executeOperation(request, { contextValue })
    assert(body.kind === 'single')
    return body.singleResult
  }

  return {
    registry,
    schema,
    layouts,
    reads,
    historyReads,
    inserted,
    engineEvents,
    masked,
    computeFailures,
    makeContext,
    statuses: () =>
      Object.fromEntries([...contexts.tally].map(([view, counts]) => [view.name, { ...counts }])),
    forget() {
      for (const list of [reads.online, reads.offline, historyReads, engineEvents, masked, computeFailures])
        list.length = 0
    },
    breakStore(store, error = new StoreFailed('connect ECONNREFUSED db.internal:5432')) {
      failures[store] = error
    },
    mendStore(store) {
      delete failures[store]
    },
    putOnline(key, bytes) {
      foreignBytes.set(key, bytes)
    },
    async write(view, ...rows) {
      const found = viewNamed(registry, view)
      const accepted = rows.map((row) => acceptRow(found, row))
      await writeRows({ offline, online, ...layouts, clock: () => now }, found, accepted)
    },
    async run(operation, context = {}) {
      return asJson(await byApollo(operation, { ...makeContext(), ...context }))
    },
    async runServed(operation) {
      const { query, variables = {}, operationName = null } = operation
      const known = await answerKnown({ text: query, operationName, variables }, begin())
      if (known === null) return { route: 'APOLLO', text: asText(await byApollo(operation, makeContext())) }
      if ('body' in known) return { route: 'DIRECT', text: known.body.toString() }
      return { route: 'HANDED_OVER', text: asText(await byApollo(operation, known.context)) }
    },
    async runPlain({ query, variables = {}, operationName }, replaced = {}) {
      const document = parse(query)
      assert.deepEqual(validate(schema, document), [])
      const context = { ...makeContext(), ...replaced }
      const result = await execute({
        schema,
        document,
        contextValue: context,
        variableValues: variables,
        operationName,
      })
      const errors = [...(result.errors ?? []), ...context.unavailable.errors()]
      return asJson({ ...result, ...(errors.length === 0 ? {} : { errors }) })
    },
  }
}

const noTrainingSets: GraphContext['trainingSets'] = {
  create: async () => assert.fail('no training set is made here'),
  find: async () => null,
  list: async () => [],
  cancel: async () => assert.fail('there is no training set here'),
  remove: async () => {},
  expiresAt: () => null,
}

export function viewNamed(registry: Registry, name: string): StoredView {
  const found = registry.views.find((view) => view.name === name)
  assert(found && found.kind !== 'STREAM', `there is no view ${name}`)
  return found
}

/** A row known as soon as it happened. */
export function row(
  key: OfferedRow['key'],
  eventTimestamp: Micros,
  values: OfferedRow['values'],
  createdTimestamp: Micros | null = eventTimestamp,
): OfferedRow {
  return { key, eventTimestamp, createdTimestamp, values }
}

/** As Apollo writes it. */
function asText({ errors, data }: Pick<FormattedExecutionResult, 'errors' | 'data'>): string {
  return JSON.stringify({
    ...(errors === undefined ? {} : { errors }),
    ...(data === undefined ? {} : { data }),
  })
}

/** What a caller gets to see: no null prototypes, no getters. */
function asJson(result: unknown): Answer {
  return JSON.parse(JSON.stringify(result))
}

export function memoryRegistryStore(): RegistryStore {
  const layouts: KnownLayout[] = []
  return {
    ensureViews: async (names) => names.map((name) => ({ id: name, name })),
    recordDefinitions: async () => {},
    recordLayouts: async (recorded) => {
      layouts.push(...recorded.map((layout) => ({ ...layout, digests: null })))
    },
    layouts: async () => layouts,
  }
}
