import { GraphQLError, GraphQLScalarType, Kind, type ValueNode } from 'graphql'
import { formatDuration, parseDuration } from '../definitions/duration.ts'
import { formatTimestamp, type Micros, parseTimestamp } from '../definitions/timestamp.ts'
import { type Accepted, acceptInt64 } from '../definitions/value.ts'

/** `node` is the literal, if it is one: its place is reported with the error. */
function accept<T>(outcome: Accepted<T>, node: ValueNode | null = null): T {
  if (outcome.ok) return outcome.value
  throw new GraphQLError(`expected ${outcome.expected}`, { nodes: node })
}

/** The text of a string literal, or the digits of an integer literal: exact, unlike a JSON number. */
function literalText(node: ValueNode): string | null {
  return node.kind === Kind.STRING || node.kind === Kind.INT ? node.value : null
}

export const int64Scalar = new GraphQLScalarType<number | string, number | string>({
  name: 'Int64',
  description:
    '64-bit signed integer. In: a safe integer or a decimal string. Out: a number while it is a safe integer, else a decimal string.',
  serialize: (value) => accept(acceptInt64(value)),
  parseValue(input) {
    if (typeof input === 'number' && Number.isInteger(input) && !Number.isSafeInteger(input)) {
      // JSON has rounded it already, so the digits that the caller wrote are lost.
      throw new GraphQLError(
        'expected an integer that JSON keeps exactly (up to 2^53 - 1), or a decimal string',
      )
    }
    return accept(acceptInt64(input))
  },
  parseLiteral: (node) => accept(acceptInt64(literalText(node)), node),
})

const timestampExpected =
  'an RFC 3339 timestamp with an explicit offset, as 2026-01-31T09:30:00Z, between the years 1685 and 2254'

function acceptTimestamp(input: unknown): Accepted<Micros> {
  const micros = typeof input === 'string' ? parseTimestamp(input) : null
  return micros === null ? { ok: false, expected: timestampExpected } : { ok: true, value: micros }
}

/** Microseconds inside. */
export const timestampScalar = new GraphQLScalarType<number, string>({
  name: 'Timestamp',
  description:
    'RFC 3339. In: any explicit offset; digits below a microsecond are cut off. Out: UTC, always 6 digits and Z.',
  serialize(value) {
    if (!Number.isSafeInteger(value)) throw new GraphQLError('a timestamp is whole microseconds')
    return formatTimestamp(Number(value))
  },
  parseValue: (input) => accept(acceptTimestamp(input)),
  parseLiteral: (node) => accept(acceptTimestamp(node.kind === Kind.STRING ? node.value : null), node),
})

function acceptDuration(input: unknown): Accepted<Micros> {
  const micros = typeof input === 'string' ? parseDuration(input) : null
  return micros === null
    ? { ok: false, expected: 'a whole number and a unit, as 250ms, 30s, 5m, 1h or 90d' }
    : { ok: true, value: micros }
}

/** Microseconds inside. */
export const durationScalar = new GraphQLScalarType<number, string>({
  name: 'Duration',
  description: 'A whole number and a unit, as in the definitions: 250ms, 30s, 5m, 1h, 90d.',
  serialize: (value) => formatDuration(Number(value)),
  parseValue: (input) => accept(acceptDuration(input)),
  parseLiteral: (node) => accept(acceptDuration(node.kind === Kind.STRING ? node.value : null), node),
})

/** A Buffer inside. Only in a schema that has a feature of bytes. */
export const bytesScalar = new GraphQLScalarType<Buffer, string>({
  name: 'Bytes',
  description: 'Bytes as base64.',
  serialize: (value) => Buffer.from(value as Uint8Array).toString('base64'),
  parseValue(input) {
    if (
      typeof input !== 'string' ||
      !/^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/.test(input)
    ) {
      throw new GraphQLError('expected base64')
    }
    return Buffer.from(input, 'base64')
  },
})
