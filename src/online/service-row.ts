import { type FeatureStatus, featureStatus } from '../definitions/row-status.ts'
import type { EntityKey, KeyValue, Value } from '../definitions/value.ts'
import type { ComputedRow } from '../on-demand/compute-row.ts'
import { type BrokenRule, brokenRules } from '../quality/expectations.ts'
import type {
  ComputedFeature,
  Entity,
  FeatureService,
  FeatureView,
  OnDemandView,
  VectorEntry,
} from '../registry/registry.ts'
import { keyInRole, roleNamed } from '../registry/service-keys.ts'
import type { PlacedInput } from './on-demand.ts'
import { rowValue, type ViewRow } from './view-row.ts'

/** One entry of the vector for one key. */
export interface ServedValue {
  readonly value: Value | null
  readonly status: FeatureStatus
}

/** An entry of the vector and where its value comes from: which read's row, which request value, or which computation. */
export interface PlannedEntry {
  readonly entry: VectorEntry
  readonly place: number
}

/** A view whose row the service takes, of the entity that stands in one role. */
export interface ServiceRead {
  readonly view: FeatureView
  /** Null: the entity by its own join keys. */
  readonly role: string | null
  /** Where the entity's join keys, in its order, stand among the service's. */
  readonly keyPlaces: readonly number[]
}

/** An on-demand view that the service takes from. */
export interface ServiceComputation {
  readonly view: OnDemandView
  /** Among the rows of the plan's reads, and the service's request values. */
  readonly inputs: readonly PlacedInput[]
}

export interface ServicePlan {
  /** Every view in every role that the service takes from, once; also those that only functions are given. */
  readonly reads: readonly ServiceRead[]
  /** Every on-demand view, once. */
  readonly computations: readonly ServiceComputation[]
  /** In the vector's order. */
  readonly entries: readonly PlannedEntry[]
}

export function planService(service: FeatureService): ServicePlan {
  const reads: ServiceRead[] = []
  const computations: ServiceComputation[] = []

  function placeOfRead(view: FeatureView, role: string | null): number {
    const place = reads.findIndex((read) => read.view === view && read.role === role)
    if (place >= 0) return place
    return reads.push({ view, role, keyPlaces: keyPlacesOf(service, view.entity, role) }) - 1
  }

  function placeOfRequest(name: string): number {
    return service.requests.findIndex((request) => request.name === name)
  }

  function placeOfComputation(view: OnDemandView): number {
    const place = computations.findIndex((one) => one.view === view)
    if (place >= 0) return place
    const inputs = view.inputs.map((input): PlacedInput => {
      if (input.kind === 'request') return { kind: 'request', place: placeOfRequest(input.name) }
      return { kind: 'feature', place: placeOfRead(input.view, null), feature: input.feature }
    })
    return computations.push({ view, inputs }) - 1
  }

  const entries = service.vector.map((entry): PlannedEntry => {
    if (entry.kind === 'request') return { entry, place: placeOfRequest(entry.name) }
    if (entry.kind === 'feature') return { entry, place: placeOfRead(entry.view, entry.role) }
    return { entry, place: placeOfComputation(entry.view) }
  })
  return { reads, computations, entries }
}

function keyPlacesOf(
  { joinKeys, roles }: FeatureService,
  entity: Entity,
  role: string | null,
): readonly number[] {
  return entity.joinKeys.map((own) => {
    const name = keyInRole(own.name, roleNamed(roles, role))
    return joinKeys.findIndex((key) => key.name === name)
  })
}

/** The part of the service's key that is the read's entity's. */
export function keyOfRead({ keyPlaces }: Pick<ServiceRead, 'keyPlaces'>, key: EntityKey): EntityKey {
  return keyPlaces.flatMap((place) => key[place] ?? [])
}

/** Reads of one entity by the same join keys: their rows are asked for once. */
export interface KeyedReads {
  readonly entity: Entity
  readonly keyPlaces: readonly number[]
  readonly reads: readonly ServiceRead[]
}

/** In the order of their first read. */
export function readsByKey({ reads }: Pick<ServicePlan, 'reads'>): readonly KeyedReads[] {
  const groups = new Map<string, KeyedReads & { readonly reads: ServiceRead[] }>()
  for (const read of reads) {
    const { view, keyPlaces } = read
    const identity = `${view.entity.name} ${keyPlaces}`
    const group = groups.get(identity)
    if (group) group.reads.push(read)
    else groups.set(identity, { entity: view.entity, keyPlaces, reads: [read] })
  }
  return [...groups.values()]
}

/** The values that go into one service row. */
export interface ServiceInputs {
  /** In the order of the service's join keys. */
  readonly key: EntityKey
  /** In the order of the plan's reads. */
  readonly rows: readonly ViewRow[]
  /** In the order of the service's request values. */
  readonly requests: readonly (Value | null)[]
  /** In the order of the plan's computations. */
  readonly computed: readonly ComputedRow[]
}

export function servedValue(
  { entry, place }: PlannedEntry,
  { rows, requests, computed }: ServiceInputs,
): ServedValue {
  if (entry.kind === 'request') {
    const value = requests[place] ?? null
    return { value, status: featureStatus('PRESENT', value === null) }
  }
  if (entry.kind === 'on-demand') return computedValue(entry, computed[place])
  const row = rows[place]
  if (!row) throw new TypeError(`view ${entry.view.name} was not read for the service`)
  const value = rowValue(row, entry.feature.graphqlName)
  const lacks = value === null && row.$lacking?.has(entry.feature.id) === true
  return { value, status: lacks ? 'UNAVAILABLE' : featureStatus(row.$status, value === null) }
}

function computedValue({ view, feature }: ComputedFeature, row: ComputedRow | undefined): ServedValue {
  if (!row) throw new TypeError(`on-demand view ${view.name} was not computed for the service`)
  const value = row.values[view.features.indexOf(feature)] ?? null
  const isMissing = value === null && row.status === 'PRESENT'
  return { value, status: isMissing ? 'NULL_VALUE' : row.status }
}

/** A value's place in a vector: bool is 0 or 1, int64 beyond 2^53 the nearest float; null takes the default. */
export function vectorNumber(entry: VectorEntry, value: Value | null): number {
  return value === null ? entry.default : Number(value)
}

/**
 * A service's row: the values are properties under their GraphQL names, the vector and what belongs to it are made when
 * read. One class per service, with getters on its prototype; no object per value.
 */
export interface ServiceRow {
  readonly vector: readonly number[]
  readonly names: readonly string[]
  readonly statuses: readonly FeatureStatus[]
  /** Names whose value is the default. */
  readonly defaulted: readonly string[]
  /** What the features' expectations say to the row's values, also to those that are missing. */
  readonly violations: readonly ServedViolation[]
}

interface ServedViolation extends BrokenRule {
  /** The value's name in the service. */
  readonly feature: string
}

export function compileServiceRow(
  service: FeatureService,
  { entries }: ServicePlan,
): (inputs: ServiceInputs) => ServiceRow {
  const names = service.vector.map((entry) => entry.name)

  class Row implements ServiceRow {
    readonly $key: EntityKey
    readonly $values: readonly (Value | null)[]
    readonly $statuses: readonly FeatureStatus[]
    private $vector: readonly number[] | null = null
    private $defaulted: readonly string[] | null = null
    private $violations: readonly ServedViolation[] | null = null

    constructor(inputs: ServiceInputs) {
      const values: (Value | null)[] = []
      const statuses: FeatureStatus[] = []
      for (const planned of entries) {
        const { value, status } = servedValue(planned, inputs)
        values.push(value)
        statuses.push(status)
      }
      this.$key = inputs.key
      this.$values = values
      this.$statuses = statuses
    }
    /** Made once: graphql-jit reads a list's property again for every check. */
    get vector(): readonly number[] {
      this.$vector ??= entries.map(({ entry }, index) => vectorNumber(entry, this.$values[index] ?? null))
      return this.$vector
    }
    get names(): readonly string[] {
      return names
    }
    get statuses(): readonly FeatureStatus[] {
      return this.$statuses
    }
    get defaulted(): readonly string[] {
      this.$defaulted ??= names.filter((_, index) => (this.$values[index] ?? null) === null)
      return this.$defaulted
    }
    get violations(): readonly ServedViolation[] {
      this.$violations ??= violationsOf(entries, this.$values)
      return this.$violations
    }
  }

  service.joinKeys.forEach((key, index) => {
    define(Row.prototype, key.graphqlName, function (this: Row): KeyValue | undefined {
      return this.$key[index]
    })
  })
  service.vector.forEach((entry, index) => {
    define(Row.prototype, entry.graphqlName, function (this: Row): Value | null {
      return this.$values[index] ?? null
    })
  })
  return (inputs) => new Row(inputs)
}

function violationsOf(
  entries: readonly PlannedEntry[],
  values: readonly (Value | null)[],
): ServedViolation[] {
  return entries.flatMap(({ entry }, index) => {
    if (entry.kind === 'request' || entry.feature.expectation === null) return []
    const broken = brokenRules(entry.feature.expectation, entry.type, values[index] ?? null)
    return broken.map((rule) => ({ feature: entry.name, ...rule }))
  })
}

/** A getter under a GraphQL name. */
export function define<T>(prototype: T, name: string, get: (this: T) => unknown): void {
  Object.defineProperty(prototype, name, { get, configurable: false })
}
