import { type FeatureStatus, featureStatus } from '../definitions/row-status.ts'
import { formatTimestamp } from '../definitions/timestamp.ts'
import type { EntityKey, KeyValue, ScalarValue, Value } from '../definitions/value.ts'
import { elementType, type ValueType } from '../definitions/value-type.ts'
import type { ComputedRow } from '../on-demand/compute-row.ts'
import { compileServiceRow, planService, type ServiceInputs } from '../online/service-row.ts'
import { rowValue, type ViewRow } from '../online/view-row.ts'
import type { FeatureService, FeatureView, JoinKey, OnDemandView } from '../registry/registry.ts'

/** A value by its feature's type: int64 beyond 2^53 is a string of digits, a timestamp its text in UTC, bytes a Buffer. */
export type TestValue = ScalarValue | readonly ScalarValue[] | null

type ByName<T> = Readonly<Record<string, T>>

/** What a feature view answers for one key; names are those of the definitions. */
export interface ViewAnswer {
  readonly key: ByName<KeyValue>
  /** Of the row; of an on-demand view as GraphQL has it. */
  readonly status: FeatureStatus
  readonly features: ByName<TestValue>
  readonly statuses: ByName<FeatureStatus>
  /** RFC 3339 in UTC; null where no row was found. */
  readonly eventTimestamp: string | null
  readonly ageSeconds: number | null
}

/** What a feature service answers for one key, as a model takes it. */
export interface ServiceAnswer {
  readonly key: ByName<KeyValue>
  readonly features: ByName<TestValue>
  readonly statuses: ByName<FeatureStatus>
  /** In the order of `names`; a null takes its default. */
  readonly vector: readonly number[]
  readonly names: readonly string[]
  /** The names whose value is the default. */
  readonly defaulted: readonly string[]
  /** What the expectations say to the values. */
  readonly violations: readonly {
    readonly feature: string
    readonly rule: string
    readonly message: string
  }[]
}

export function viewAnswer(view: FeatureView, key: EntityKey, row: ViewRow): ViewAnswer {
  const { status, eventTimestamp, ageSeconds } = row.freshness
  const named = view.features.map(({ name, graphqlName, type }) => ({
    name,
    type,
    value: rowValue(row, graphqlName),
  }))
  return {
    key: namedKey(view.entity.joinKeys, key),
    status,
    features: Object.fromEntries(named.map(({ name, type, value }) => [name, shown(type, value)])),
    statuses: Object.fromEntries(
      named.map(({ name, value }) => [name, featureStatus(status, value === null)]),
    ),
    eventTimestamp: eventTimestamp === null ? null : formatTimestamp(eventTimestamp),
    ageSeconds,
  }
}

export function onDemandAnswer(view: OnDemandView, key: EntityKey, row: ComputedRow): ViewAnswer {
  const named = view.features.map(({ name, type }, index) => ({
    name,
    type,
    value: row.values[index] ?? null,
  }))
  const statusOf = (value: Value | null): FeatureStatus =>
    value === null && row.status === 'PRESENT' ? 'NULL_VALUE' : row.status
  return {
    key: namedKey(view.entity.joinKeys, key),
    status: row.status,
    features: Object.fromEntries(named.map(({ name, type, value }) => [name, shown(type, value)])),
    statuses: Object.fromEntries(named.map(({ name, value }) => [name, statusOf(value)])),
    ...{ eventTimestamp: null, ageSeconds: null },
  }
}

export function serviceAnswer(service: FeatureService, inputs: ServiceInputs): ServiceAnswer {
  const { key } = inputs
  const row = compileServiceRow(service, planService(service))(inputs)
  const values = row as unknown as Readonly<Record<string, Value | null>>
  return {
    key: namedKey(service.joinKeys, key),
    features: Object.fromEntries(
      service.vector.map(({ name, graphqlName, type }) => [name, shown(type, values[graphqlName] ?? null)]),
    ),
    statuses: Object.fromEntries(row.names.map((name, index) => [name, row.statuses[index] ?? 'NOT_FOUND'])),
    vector: row.vector,
    names: row.names,
    defaulted: row.defaulted,
    violations: row.violations.map(({ feature, rule, message }) => ({ feature, rule, message })),
  }
}

function namedKey(joinKeys: readonly JoinKey[], key: EntityKey): ByName<KeyValue> {
  return Object.fromEntries(joinKeys.map(({ name }, index) => [name, key[index] ?? '']))
}

function shown(type: ValueType, value: Value | null): TestValue {
  if (value === null || (elementType(type) ?? type) !== 'timestamp') return value as TestValue
  return Array.isArray(value)
    ? value.map((item) => formatTimestamp(Number(item)))
    : formatTimestamp(Number(value))
}
