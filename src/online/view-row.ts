import type { RowStatus } from '../definitions/row-status.ts'
import type { Micros } from '../definitions/timestamp.ts'
import type { UnavailableReason } from '../definitions/unavailable-reason.ts'
import type { Value } from '../definitions/value.ts'
import type { FeatureView } from '../registry/registry.ts'

export type FreshnessSource = 'ONLINE' | 'OFFLINE'

/** What a request may ask about a row besides its values; property names are those of the GraphQL type. */
export interface Freshness {
  readonly status: RowStatus
  readonly eventTimestamp: Micros | null
  readonly createdTimestamp: Micros | null
  readonly ageSeconds: number | null
  readonly expiresAt: Micros | null
  readonly source: FreshnessSource
  /** How far the tiles of a streaming view are behind, online. */
  readonly lagSeconds: number | null
  /** Null unless the status is UNAVAILABLE. */
  readonly reason: UnavailableReason | null
}

/**
 * A view's row as an answer sees it: the features are plain properties under their GraphQL names, so that they need no
 * resolvers, and `freshness` is made when it is read, so that it costs nothing unless selected. What the gateway itself
 * keeps starts with $, which no GraphQL name can.
 */
export class ViewRow {
  readonly $view: FeatureView
  readonly $source: FreshnessSource
  readonly $at: Micros
  readonly $status: RowStatus
  readonly $event: Micros | null
  readonly $created: Micros | null
  /** Online, of a streaming view: all that had happened by then is in its tiles. */
  $levelAt: Micros | null
  /** Ids of features that were added since the row was computed: null without a meaning. Null: none. */
  $lacking: ReadonlySet<string> | null
  /** Of an UNAVAILABLE row. */
  $reason: UnavailableReason | null
  private $freshness: Freshness | null

  constructor(
    view: FeatureView,
    source: FreshnessSource,
    at: Micros,
    status: RowStatus,
    event: Micros | null,
    created: Micros | null,
  ) {
    this.$view = view
    this.$source = source
    this.$at = at
    this.$status = status
    this.$event = event
    this.$created = created
    this.$levelAt = null
    this.$lacking = null
    this.$reason = null
    this.$freshness = null
  }

  /** Made once: graphql-jit reads an object's property again for every check and every field below it. */
  get freshness(): Freshness {
    this.$freshness ??= this.$makeFreshness()
    return this.$freshness
  }

  private $makeFreshness(): Freshness {
    const event = this.$event
    const { ttlMicros, kind } = this.$view
    const expiresAt = event === null || ttlMicros === null || kind === 'STREAM' ? null : event + ttlMicros
    return {
      status: this.$status,
      eventTimestamp: event,
      createdTimestamp: this.$created,
      ageSeconds: event === null ? null : Math.max(0, this.$at - event) / 1_000_000,
      // Behind the year 2255 it could not be reported exactly: such a ttl is as good as none.
      expiresAt: Number.isSafeInteger(expiresAt) ? expiresAt : null,
      source: this.$source,
      lagSeconds: this.$levelAt === null ? null : Math.max(0, this.$at - this.$levelAt) / 1_000_000,
      reason: this.$reason,
    }
  }
}

/** The value of a feature by its GraphQL name. */
export function rowValue(row: ViewRow, graphqlName: string): Value | null {
  return (row as unknown as Readonly<Record<string, Value | null>>)[graphqlName] ?? null
}
