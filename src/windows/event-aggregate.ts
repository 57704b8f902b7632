import type { ScalarValue } from '../definitions/value.ts'
import type { ScalarType } from '../definitions/value-type.ts'
import type { WindowedAggregation } from '../definitions/windowed-aggregation.ts'
import {
  type Aggregate,
  count,
  countDistinct,
  type EventPlace,
  first,
  floatSum,
  integerSum,
  last,
  max,
  mean,
  min,
  stddev,
  variance,
} from './aggregate.ts'
import type { ByteReader, ByteWriter } from './bytes.ts'

/** How the state of an aggregate stands in bytes. */
interface StateCodec<State> {
  readonly write: (out: ByteWriter, state: State) => void
  readonly read: (input: ByteReader) => State
}

/**
 * An aggregation of events that come one by one, with states that only it can read: what tiles are made of. The same
 * aggregates as everywhere, with their bytes.
 */
export interface EventAggregate {
  readonly empty: () => unknown
  /** May change the state that it is given. */
  readonly add: (state: unknown, value: ScalarValue | null, place: EventPlace) => unknown
  readonly merge: (left: unknown, right: unknown) => unknown
  readonly finalise: (state: unknown) => { readonly value: ScalarValue | null; readonly overflow: boolean }
  readonly write: (out: ByteWriter, state: unknown) => void
  readonly read: (input: ByteReader) => unknown
}

export function eventAggregate({ aggregate, field }: WindowedAggregation): EventAggregate {
  const type = field?.type ?? 'int64'
  switch (aggregate) {
    case 'count':
      return coded(count, { write: (out, state) => out.count(state), read: (input) => input.count() })
    case 'sum':
      return type === 'int32' || type === 'int64'
        ? coded(integerSum, {
            write: (out, state) => out.integer(state),
            read: (input) => input.integer(),
          })
        : coded(floatSum, { write: (out, state) => out.float(state), read: (input) => input.float() })
    case 'mean':
      return coded(mean, {
        write(out, state) {
          out.float(state.sum)
          out.count(state.count)
        },
        read: (input) => ({ sum: input.float(), count: input.count() }),
      })
    case 'variance':
      return coded(variance, varianceCodec)
    case 'stddev':
      return coded(stddev, varianceCodec)
    case 'min':
      return coded(min, optional(valueCodec(type)))
    case 'max':
      return coded(max, optional(valueCodec(type)))
    case 'first':
      return coded(first, optional(placedCodec(valueCodec(type))))
    case 'last':
      return coded(last, optional(placedCodec(valueCodec(type))))
    case 'countDistinct':
      return coded(countDistinct, {
        write(out, state) {
          out.count(state.size)
          for (const key of state) out.text(key)
        },
        read(input) {
          const keys = new Set<string>()
          for (let left = input.count(); left > 0; left -= 1) keys.add(input.text())
          return keys
        },
      })
  }
}

/** States are made and read by the one aggregate whose they are; outside they are `unknown`. */
function coded<State>(aggregate: Aggregate<State>, codec: StateCodec<State>): EventAggregate {
  return {
    empty: aggregate.empty,
    add: (state, value, place) => aggregate.add(state as State, value, place),
    merge: (left, right) => aggregate.merge(left as State, right as State),
    finalise: (state) => aggregate.finalise(state as State),
    write: (out, state) => codec.write(out, state as State),
    read: codec.read,
  }
}

const varianceCodec: StateCodec<ReturnType<typeof variance.empty>> = {
  write(out, state) {
    out.count(state.count)
    out.float(state.mean)
    out.float(state.m2)
  },
  read: (input) => ({ count: input.count(), mean: input.float(), m2: input.float() }),
}

function optional<State>(codec: StateCodec<State>): StateCodec<State | null> {
  return {
    write(out, state) {
      out.byte(state === null ? 0 : 1)
      if (state !== null) codec.write(out, state)
    },
    read: (input) => (input.byte() === 0 ? null : codec.read(input)),
  }
}

function valueCodec(type: ScalarType): StateCodec<ScalarValue> {
  switch (type) {
    case 'int32':
    case 'int64':
      return {
        write: (out, value) => out.integer(BigInt(value as number | string)),
        read(input) {
          const exact = input.integer()
          const number = Number(exact)
          return Number.isSafeInteger(number) ? number : exact.toString()
        },
      }
    case 'float32':
    case 'float64':
    case 'timestamp':
      return { write: (out, value) => out.float(Number(value)), read: (input) => input.float() }
    case 'bool':
      return {
        write: (out, value) => out.byte(value === true ? 1 : 0),
        read: (input) => input.byte() === 1,
      }
    case 'string':
      return { write: (out, value) => out.text(String(value)), read: (input) => input.text() }
    case 'bytes':
      return {
        write: (out, value) => out.bytes(value as Uint8Array),
        read: (input) => Buffer.from(input.bytes()),
      }
  }
}

/** With the whole place: what is merged may come from several topics and partitions. */
function placedCodec(
  codec: StateCodec<ScalarValue>,
): StateCodec<{ readonly place: EventPlace; readonly value: ScalarValue }> {
  return {
    write(out, { place, value }) {
      out.float(place.timestamp)
      out.text(place.topic)
      out.count(place.partition)
      out.count(place.offset)
      codec.write(out, value)
    },
    read(input) {
      const place = {
        timestamp: input.float(),
        topic: input.text(),
        partition: input.count(),
        offset: input.count(),
      }
      return { place, value: codec.read(input) }
    },
  }
}
