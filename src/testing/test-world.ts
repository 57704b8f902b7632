import { parseDuration } from '../definitions/duration.ts'
import type { EventSourceDefinition } from '../definitions/event-source.ts'
import type { FeatureServiceDefinition } from '../definitions/feature-service.ts'
import type { Micros } from '../definitions/timestamp.ts'
import { BadUserInput } from '../errors.ts'
import type { ComputedRow } from '../on-demand/compute-row.ts'
import { functionsOf } from '../on-demand/functions.ts'
import { type GatheredInputs, gatherInputs, onDemandComputer, placedInputs } from '../online/on-demand.ts'
import { keyOfRead, planService } from '../online/service-row.ts'
import type { ViewRow } from '../online/view-row.ts'
import { buildRegistry } from '../registry/build-registry.ts'
import type { EventSource, FeatureService, FeatureView, OnDemandView } from '../registry/registry.ts'
import { suggest } from '../registry/suggest.ts'
import { onDemandAnswer, type ServiceAnswer, serviceAnswer, type ViewAnswer, viewAnswer } from './answers.ts'
import type { NumberedRow } from './newest-row.ts'
import { type Moment, readMoment } from './offered-content.ts'
import { type Outcome, offerEvent, offerRow } from './offered-rows.ts'
import { type OfferedKey, readKey } from './read-keys.ts'
import { type StoredEvents, storedEvents } from './stored-events.ts'
import { viewRows } from './view-rows.ts'

/** Definitions as a file exports them: a list, or the module itself (`import * as definitions from '../schema/plants.ts'`). */
export type Definitions = readonly unknown[] | Readonly<Record<string, unknown>>

/** A definition, or its name. */
type Named<Definition extends { readonly name: string }> = string | Pick<Definition, 'name'>

interface AskView {
  /** A feature view of any kind. */
  readonly view: string | { readonly name: string }
  /** By join key: `{ plant_id: 'fern' }`. */
  readonly keys: readonly OfferedKey[]
  /** The time that is asked for: RFC 3339 with an offset, or a Date. */
  readonly at: Moment
  /** As the argument of the query: an older row answers OUTSIDE_TTL. */
  readonly maxAge?: string
}

interface AskService {
  readonly service: Named<FeatureServiceDefinition>
  /** By join key, with the request values beside them. */
  readonly keys: readonly OfferedKey[]
  readonly at: Moment
}

interface Known {
  /** As things were known then: what was stored later is not seen. Without it, all that the world holds. */
  readonly knownAt?: Moment
}

type Ask = AskView | AskService

/** A world of events and rows in memory, which answers as a gateway over the same definitions would. */
export interface TestWorld {
  /**
   * Events of a source, by the names that its files and messages have. Each is stored at `storedAt`, or without it when it
   * happened. One outcome an event, in order: not accepted are those that an expectation keeps out, and those more than
   * ten minutes ahead of `storedAt`. Of several with one event id the first counts.
   * @throws BadUserInput for an event that does not fit its source, with every problem.
   */
  readonly events: (
    source: Named<EventSourceDefinition>,
    events: readonly object[],
    options?: { readonly storedAt?: Moment },
  ) => readonly Outcome[]
  /**
   * Rows of a feature view, by registry name: the join keys, `event_timestamp`, the features (one that is left out is
   * null) and optionally `created_timestamp`, when the row became known; without it that was at its event timestamp. Of a
   * batch view: corrections, at one of its snapshot times.
   * @throws InvalidRow for a row that does not fit, with every problem.
   */
  readonly rows: (view: string | { readonly name: string }, rows: readonly object[]) => readonly Outcome[]
  /**
   * What the gateway answers at `at` for now: over the rows and events that were stored by then. One answer a key, in
   * order.
   */
  readonly online: Answer<Ask>
  /** What it answers later with `asOf: at`, and with `knownAt` where that is given. One answer a key, in order. */
  readonly asOf: Answer<Ask & Known>
}

/** Views answer rows, services what their model takes. */
interface Answer<Asked extends Ask> {
  (ask: Extract<Asked, AskService>): Promise<readonly ServiceAnswer[]>
  (ask: Extract<Asked, AskView>): Promise<readonly ViewAnswer[]>
}

/**
 * A world without a server, for unit tests of features: definitions, rows and events in; windows, statuses and vectors
 * out. It runs the gateway's own rules (what an event must be, windows, the order of rows, ttl, defaults, expectations)
 * over lists in memory. Snapshots of batch views count as computed at their time, and again whenever an event came late.
 * Nothing is deleted, and no clock is asked: every time is an argument.
 * @throws InvalidDefinitions with every problem of the definitions.
 */
export function testWorld(definitions: Definitions): TestWorld {
  const exported = Array.isArray(definitions)
    ? definitions.map((value, index) => ({ path: `definitions[${index}]`, value: value as unknown }))
    : Object.entries(definitions).map(([name, value]) => ({ path: name, value: value as unknown }))
  const registry = buildRegistry(exported)
  const events = new Map<EventSource, StoredEvents>(
    registry.eventSources.map((source) => [source, storedEvents()]),
  )
  const rows = new Map<FeatureView, NumberedRow[]>(registry.views.map((view) => [view, []]))
  const read = viewRows({
    rows: (view) => rows.get(view) ?? [],
    events: (source) => events.get(source) ?? { events: [] },
  })

  const functions = functionsOf(exported)
  const compute = (view: OnDemandView, inputs: GatheredInputs): ComputedRow =>
    onDemandComputer(view, functions, () => {})(inputs)

  async function answer(
    ask: Ask,
    rowOf: (view: FeatureView, key: NumberedRow['key'], maxAge: Micros | null) => Promise<ViewRow>,
  ): Promise<readonly (ServiceAnswer | ViewAnswer)[]> {
    if ('service' in ask) {
      const service = find<FeatureService>('feature service', ask.service, registry.services)
      const plan = planService(service)
      const parts = { of: `feature service "${service.name}"`, ...service }
      return await Promise.all(
        ask.keys.map(async (offered, place) => {
          const { key, requests } = readKey(parts, offered, place)
          const found = plan.reads.map((one) => rowOf(one.view, keyOfRead(one, key), null))
          const rows = await Promise.all(found)
          const computed = plan.computations.map(({ view, inputs }) =>
            compute(view, gatherInputs(inputs, rows, requests)),
          )
          return serviceAnswer(service, { key, rows, requests, computed })
        }),
      )
    }
    const view = find('feature view', ask.view, [...registry.views, ...registry.onDemandViews])
    if (view.kind === 'ON_DEMAND') return await answerOnDemand(view, ask, rowOf)
    const maxAge = ask.maxAge === undefined ? null : parseDuration(ask.maxAge)
    if (ask.maxAge !== undefined && maxAge === null)
      throw new BadUserInput(`maxAge: expected a duration, as 30s or 2d; got ${JSON.stringify(ask.maxAge)}`)
    const parts = { of: `feature view "${view.name}"`, joinKeys: view.entity.joinKeys, requests: [] }
    return await Promise.all(
      ask.keys.map(async (offered, place) => {
        const { key } = readKey(parts, offered, place)
        return viewAnswer(view, key, await rowOf(view, key, maxAge))
      }),
    )
  }

  async function answerOnDemand(
    view: OnDemandView,
    ask: AskView,
    rowOf: (view: FeatureView, key: NumberedRow['key'], maxAge: Micros | null) => Promise<ViewRow>,
  ): Promise<readonly ViewAnswer[]> {
    if (ask.maxAge !== undefined)
      throw new BadUserInput('maxAge: an on-demand view is computed when it is asked for; leave it out')
    const { views, requests, placed } = placedInputs(view)
    const parts = { of: `feature view "${view.name}"`, joinKeys: view.entity.joinKeys, requests }
    return await Promise.all(
      ask.keys.map(async (offered, place) => {
        const { key, requests: values } = readKey(parts, offered, place)
        const rows = await Promise.all(views.map((one) => rowOf(one, key, null)))
        return onDemandAnswer(view, key, compute(view, gatherInputs(placed, rows, values)))
      }),
    )
  }

  const world = {
    events(
      source: Named<EventSourceDefinition>,
      offered: readonly object[],
      options: { storedAt?: Moment } = {},
    ) {
      const found = find<EventSource>('event source', source, registry.eventSources)
      const storedAt = options.storedAt === undefined ? null : readMoment('storedAt', options.storedAt)
      const log = events.get(found) ?? storedEvents()
      return offered.map((one, place) => offerEvent(found, log, one, { storedAt, place }))
    },
    rows(view: string | { readonly name: string }, offered: readonly object[]) {
      const found = find<FeatureView>('feature view', view, registry.views)
      const stored = rows.get(found) ?? []
      return offered.map((one, place) => offerRow(found, stored, one, place))
    },
    async online(ask: Ask) {
      const at = readMoment('at', ask.at)
      return await answer(ask, (view, key, maxAge) => read.online(view, key, at, maxAge))
    },
    async asOf(ask: Ask & Known) {
      const asOf = readMoment('at', ask.at)
      const knownAt = ask.knownAt === undefined ? null : readMoment('knownAt', ask.knownAt)
      return await answer(ask, async (view, key, maxAge) => read.asOf(view, { key, asOf, knownAt }, maxAge))
    },
  }
  return world as TestWorld
}

function find<Found extends { readonly name: string }>(
  what: string,
  asked: string | { readonly name: string },
  among: readonly Found[],
): Found {
  const name = typeof asked === 'string' ? asked : asked.name
  const found = among.find((one) => one.name === name)
  if (found) return found
  const names = among.map((one) => one.name)
  throw new BadUserInput(`there is no ${what} ${JSON.stringify(name)} in this world; ${suggest(name, names)}`)
}
