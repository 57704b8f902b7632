import { largestSquarable } from '../../windows/aggregates/variance.ts'
import { type Aggregated, asDouble, counting, nothingElse } from './aggregate-sql.ts'
import type { Dialect } from './dialect.ts'
import { position } from './tile-plan.ts'

/** Spark SQL of 3.5 with ANSI on. */
export const sparkDialect: Dialect = {
  quote: (name) => `\`${name.replaceAll('`', '``')}\``,
  text: (value) => `'${value.replace(/[^ -~]|['"\\$;]/g, escaped)}'`,
  int: (value) => `${value}L`,
  double: (value) => `${value}D`,
  instant: (micros) => `timestamp_micros(${micros}L)`,
  types: {
    int32: 'int',
    int64: 'bigint',
    float32: 'float',
    float64: 'double',
    string: 'string',
    bool: 'boolean',
    timestamp: 'timestamp',
    bytes: 'binary',
    uuid: 'string',
  },
  toMicros: (instant) => `unix_micros(${instant})`,
  fromMicros: (micros) => `timestamp_micros(${micros})`,
  quotient: (dividend, divisor) => `${dividend} div ${divisor}`,
  floor: (micros, hop) => `${micros} - pmod(${micros}, ${hop}L)`,
  summable: (integer) => `cast(${integer} as decimal(38, 0))`,
  isFinite: (double) => `abs(${double}) < double('Infinity')`,
  timeAt: (times, index) => `array(${times.map((time) => `${time}L`).join(', ')})[cast(${index} as int)]`,
  merge: (call, window) => `${call} filter (where snapshot_index <= last_${window})`,
  spread(aggregated) {
    const { cell, part, value } = aggregated
    const double = asDouble(sparkDialect, value)
    const tame = `abs(${double}) <= ${sparkDialect.double(largestSquarable)}`
    const ofTame = (call: string): string => counting(aggregated, call, tame)
    const areEqual = `${ofTame(`min(${double})`)} = ${ofTame(`max(${double})`)}`
    const unlessEqual = (equal: string, other: string): string =>
      `case when ${areEqual} then ${equal} else ${other} end`
    // Spark rounds the sum that its mean comes from: of equal values it would not be the value.
    const state = [
      ['tile', 'min(moment)'],
      ['n', ofTame(`count(${double})`)],
      ['mean', unlessEqual(ofTame(`min(${double})`), ofTame(`avg(${double})`))],
      ['m2', unlessEqual('0D', `${ofTame(`var_pop(${double})`)} * ${ofTame(`count(${double})`)}`)],
    ]
    return {
      cells: [
        {
          name: `${cell}_v`,
          sql: `named_struct(${state.map(([name, one]) => `'${name}', ${one}`).join(', ')})`,
        },
      ],
      events: [],
      parts: [{ name: `${part}_w`, sql: chanOverTiles(aggregated) }],
      variance: `${part}_w`,
    }
  },
  distinct(aggregated) {
    const { cell, part, value, window } = aggregated
    const lists = sparkDialect.merge(`collect_list(${cell}_d)`, window)
    return {
      ...nothingElse,
      cells: [{ name: `${cell}_d`, sql: counting(aggregated, `collect_set(${value})`) }],
      parts: [{ name: `${part}_d`, sql: `size(array_distinct(flatten(${lists})))` }],
      value: `${part}_d`,
      tolerance: null,
    }
  },
  end(aggregated, end) {
    const { cell, part, value, window } = aggregated
    const pick = end === 'first' ? 'min_by' : 'max_by'
    const place = `struct(${position.join(', ')})`
    const placed = `struct(${place} as place, ${value} as value)`
    return {
      ...nothingElse,
      cells: [
        {
          name: `${cell}_${end}`,
          sql: counting(aggregated, `${pick}(${placed}, ${place})`, `${value} is not null`),
        },
      ],
      parts: [
        {
          name: `${part}_${end}`,
          sql: sparkDialect
            .merge(`${pick}(${cell}_${end}.value, ${cell}_${end}.place)`, window)
            .replace(/\)$/, ` and ${cell}_${end} is not null)`),
        },
      ],
      value: `${part}_${end}`,
      tolerance: null,
    }
  },
}

/** The merge of Chan, Golub and LeVeque, in the order of the tiles' times, so that two runs have the same digits. */
function chanOverTiles({ cell, window }: Aggregated): string {
  const tiles = `collect_list(${cell}_v) filter (where snapshot_index <= last_${window} and ${cell}_v.n > 0)`
  const count = 'l.n + r.n'
  const mean = `l.mean + (r.mean - l.mean) * r.n / (${count})`
  const m2 = `l.m2 + r.m2 + (r.mean - l.mean) * (r.mean - l.mean) * l.n * r.n / (${count})`
  return [
    `aggregate(array_sort(${tiles}), named_struct('n', 0L, 'mean', 0D, 'm2', 0D)`,
    `(l, r) -> named_struct('n', ${count}, 'mean', ${mean}, 'm2', ${m2})`,
    'f -> case when f.n > 1 then f.m2 / (f.n - 1) end)',
  ].join(', ')
}

/** A script is cut at semicolons and has its variables replaced before it is parsed. */
function escaped(character: string): string {
  return [...character]
    .flatMap((one) => Array.from({ length: one.length }, (_, index) => one.charCodeAt(index)))
    .map((unit) => `\\u${unit.toString(16).padStart(4, '0')}`)
    .join('')
}
