import { type Decimal, decimalOf, scaledOf } from '../../definitions/decimal.ts'
import type { ScalarValue } from '../../definitions/value.ts'
import { decimalDigits, isDecimal, type PlainType, type ScalarType } from '../../definitions/value-type.ts'
import type { ByteReader, ByteWriter } from '../bytes.ts'
import { type Aggregate, type EventPlace, type Finalised, int64Of } from './aggregate.ts'

/** How the state of an aggregate stands in bytes. */
export interface StateCodec<State> {
  readonly write: (out: ByteWriter, state: State) => void
  readonly read: (input: ByteReader) => State
}

/** An aggregate with its bytes, over states that only it can read. */
export interface EventAggregate {
  readonly empty: () => unknown
  /** May change the state that it is given. */
  readonly add: (state: unknown, value: ScalarValue | null, place: EventPlace) => unknown
  readonly merge: (left: unknown, right: unknown) => unknown
  readonly finalise: (state: unknown) => Finalised
  readonly write: (out: ByteWriter, state: unknown) => void
  readonly read: (input: ByteReader) => unknown
}

/** States are made and read by the one aggregate whose they are; outside they are `unknown`. */
export function coded<State>(aggregate: Aggregate<State>, codec: StateCodec<State>): EventAggregate {
  return {
    empty: aggregate.empty,
    add: (state, value, place) => aggregate.add(state as State, value, place),
    merge: (left, right) => aggregate.merge(left as State, right as State),
    finalise: (state) => aggregate.finalise(state as State),
    write: (out, state) => codec.write(out, state as State),
    read: codec.read,
  }
}

export function optional<State>(codec: StateCodec<State>): StateCodec<State | null> {
  return {
    write(out, state) {
      out.byte(state === null ? 0 : 1)
      if (state !== null) codec.write(out, state)
    },
    read: (input) => (input.byte() === 0 ? null : codec.read(input)),
  }
}

const integerCodec: StateCodec<ScalarValue> = {
  write: (out, value) => out.integer(BigInt(value as number | string)),
  read: (input) => int64Of(input.integer()),
}
const floatCodec: StateCodec<ScalarValue> = {
  write: (out, value) => out.float(Number(value)),
  read: (input) => input.float(),
}

const textCodec: StateCodec<ScalarValue> = {
  write: (out, value) => out.text(String(value)),
  read: (input) => input.text(),
}

function decimalCodec(digits: number): StateCodec<ScalarValue> {
  return {
    write: (out, value) => out.integer(scaledOf(value as Decimal, digits)),
    read: (input) => decimalOf(input.integer(), digits),
  }
}

/** A field's value, by its type. */
export function valueCodec(field: ScalarType): StateCodec<ScalarValue> {
  return isDecimal(field) ? decimalCodec(decimalDigits(field)) : valueCodecs[field]
}

const valueCodecs: Readonly<Record<PlainType, StateCodec<ScalarValue>>> = {
  int32: integerCodec,
  int64: integerCodec,
  float32: floatCodec,
  float64: floatCodec,
  timestamp: floatCodec,
  bool: { write: (out, value) => out.byte(value === true ? 1 : 0), read: (input) => input.byte() === 1 },
  string: textCodec,
  uuid: textCodec,
  bytes: {
    write: (out, value) => out.bytes(value as Uint8Array),
    read: (input) => Buffer.from(input.bytes()),
  },
}
