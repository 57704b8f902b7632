import type { GraphQLResolveInfo } from 'graphql'
import { acceptValue, type EntityKey, type Value } from '../definitions/value.ts'
import { BadUserInput } from '../errors.ts'
import type { ComputedRow } from '../on-demand/compute-row.ts'
import { gatherInputs } from '../online/on-demand.ts'
import { keyOfRead, readsByKey, type ServiceInputs, type ServicePlan } from '../online/service-row.ts'
import type { ViewRow } from '../online/view-row.ts'
import type { FeatureService } from '../registry/registry.ts'
import type { GraphContext } from './context.ts'
import { acceptKey } from './entity-types.ts'
import type { Need, NeedTimes } from './row-sources.ts'
import { unavailability } from './unavailable-views.ts'
import type { ViewColumn } from './view-column.ts'

/** Join keys and request values of one row. */
export type ServiceInput = Readonly<Record<string, unknown>>

/** What a service asks for: its keys, what its callers give, and the needs of its views. */
export interface AskedService {
  /** Per item, in the order of the service's join keys. */
  readonly keys: readonly EntityKey[]
  /** Per item, in the order of the service's request values. */
  readonly requests: readonly (readonly (Value | null)[])[]
  readonly needs: readonly Need[]
}

export interface ServiceReads {
  /** @throws BadUserInput */
  readonly ask: (items: readonly ServiceInput[], times: NeedTimes) => AskedService
  /** The columns of the needs, in the order of the plan's reads. */
  readonly place: (loaded: readonly (readonly ViewColumn[])[]) => readonly ViewColumn[]
}

/** All views of the service, those of one key as one need. */
export function serviceReads(service: FeatureService, plan: ServicePlan): ServiceReads {
  const parts = readsByKey(plan).map(({ entity, keyPlaces, reads }) => {
    // Another entity may have the same join keys in another order.
    const isWholeKey =
      keyPlaces.length === service.joinKeys.length && keyPlaces.every((place, index) => place === index)
    const views = reads.map(({ view }) => view)
    return { entity, views, reads, keyPlaces, isWholeKey }
  })
  const places = parts.flatMap(({ reads }) => reads.map((read) => plan.reads.indexOf(read)))
  return {
    ask(items, times) {
      const keys = items.map((item, index) => acceptKey(service.joinKeys, item, index))
      const requests = items.map((item) => acceptRequests(service, item))
      const needs = parts.map(({ entity, views, keyPlaces, isWholeKey }): Need => {
        const entityKeys = isWholeKey ? keys : keys.map((key) => keyOfRead({ keyPlaces }, key))
        return { entity, keys: entityKeys, views, times }
      })
      return { keys, requests, needs }
    },
    place(loaded) {
      const columns: ViewColumn[] = []
      loaded.flat().forEach((column, index) => {
        columns[places[index] ?? index] = column
      })
      return columns
    },
  }
}

/** The service's part of a tick's one read. */
export interface LoadedService extends Pick<AskedService, 'keys' | 'requests'> {
  /** In the order of the plan's reads. */
  readonly columns: readonly ViewColumn[]
}

export type LoadService = (
  items: readonly ServiceInput[],
  times: NeedTimes,
  context: GraphContext,
) => Promise<LoadedService>

/** Reads all views of the service in the tick's one read. */
export function serviceLoader({ ask, place }: ServiceReads): LoadService {
  return async (items, times, context) => {
    const { keys, requests, needs } = ask(items, times)
    const loaded = await Promise.all(needs.map((need) => context.rows.load(need)))
    return { keys, requests, columns: place(loaded) }
  }
}

/** Where an unavailable view of a row is reported. */
type PathOf = (index: number) => GraphQLResolveInfo['path']

export type ReadService = (
  items: readonly ServiceInput[],
  times: NeedTimes,
  context: GraphContext,
  pathOf: PathOf,
) => Promise<readonly ServiceInputs[]>

/** The inputs of each item's row, in order, of one read. */
export function serviceReader(load: LoadService, { computations }: ServicePlan): ReadService {
  return async (items, times, context, pathOf) => {
    const { keys, requests, columns } = await load(items, times, context)
    return keys.map((key, index): ServiceInputs => {
      const rows: ViewRow[] = []
      for (const column of columns) {
        const row = column.row(index, null)
        rows.push(row)
        if (row.$status === 'UNAVAILABLE')
          context.unavailable.note(column.view, pathOf(index), column.why(row))
      }
      const own = requests[index] ?? []
      const computed: ComputedRow[] = []
      for (const { view, inputs } of computations) {
        const row = context.computeOnDemand(view)(gatherInputs(inputs, rows, own))
        computed.push(row)
        // Inputs that are unavailable have been noted by their own views.
        if (row.reason === 'NO_FUNCTION')
          context.unavailable.note(view, pathOf(index), unavailability(row.reason, 'ONLINE'))
      }
      return { key, rows, requests: own, computed }
    })
  }
}

export function noteUnavailable(
  context: GraphContext,
  column: ViewColumn,
  row: ViewRow,
  path: GraphQLResolveInfo['path'],
): void {
  if (row.$status === 'UNAVAILABLE') context.unavailable.note(column.view, path, column.why(row))
}

function acceptRequests(service: FeatureService, item: ServiceInput): readonly (Value | null)[] {
  const values: (Value | null)[] = []
  for (const request of service.requests) {
    const outcome = acceptValue(request.type, item[request.graphqlName])
    if (!outcome.ok) throw new BadUserInput(`${request.graphqlName}: expected ${outcome.expected}`)
    values.push(outcome.value)
  }
  return values
}
