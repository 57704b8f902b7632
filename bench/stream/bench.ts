import type { Redis } from 'ioredis'
import type pg from 'pg'
import type { EventStream } from '../../src/stores/event-stream.ts'
import type { KafkaServer } from '../../test/services/kafka.ts'
import type { Range } from '../online/cells.ts'

/** All that the measurements share. */
export interface Bench {
  readonly customers: number
  readonly events: number
  /** Of them, how many the peer takes: it goes at one pace. */
  readonly peerEvents: number
  readonly rounds: number
  /** Of the paced events, seconds and events a second. */
  readonly latency: { readonly seconds: number; readonly rate: number }
  /** Of the events, so that each counts once. */
  readonly hasIds: boolean
  /** For definitions and logs. */
  readonly folder: string
  /** Null: no profiles. */
  readonly profileFolder: string | null
  readonly kafka: KafkaServer
  readonly stream: EventStream
  readonly postgresUrl: string
  readonly pool: pg.Pool
  readonly redisUrl: string
  readonly redis: Redis
  /** Progress, and what was checked. */
  readonly say: (line: string) => void
}

/** One measured figure, as a row of the table. */
export interface Finding {
  readonly what: string
  /** In `unit`. */
  readonly ours: Range
  readonly unit: string
  readonly digits: number
  readonly goal:
    | { readonly kind: 'AT_LEAST' | 'BELOW'; readonly value: number }
    /** Of the peer's rate, round by round. */
    | { readonly kind: 'TIMES_AT_LEAST'; readonly times: number; readonly peer: Peer }
    | { readonly kind: 'NONE' }
  /** What the figure is of. */
  readonly remark: string
}

export type Peer =
  | { readonly kind: 'RUN'; readonly name: string; readonly rate: Range; readonly ratio: Range }
  | { readonly kind: 'ABSENT'; readonly name: string; readonly reason: string }
