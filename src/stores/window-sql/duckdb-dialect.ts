import { formatTimestamp } from '../../definitions/timestamp.ts'
import { largestSquarable } from '../../windows/aggregates/variance.ts'
import { asDouble, counting, ifCounting, nothingElse } from './aggregate-sql.ts'
import type { Dialect } from './dialect.ts'
import { position } from './tile-plan.ts'

/** The variance is DuckDB's own over the events of a frame; different values are counted by `duckdb-distinct.ts`. */
export const duckDbDialect: Dialect = {
  quote: (name) => `"${name.replaceAll('"', '""')}"`,
  text: (value) => `'${value.replaceAll("'", "''")}'`,
  int: (value) => `${value}::bigint`,
  double: (value) => `${value}::double`,
  instant: (micros) => `timestamptz '${formatTimestamp(micros)}'`,
  types: {
    int32: 'integer',
    int64: 'bigint',
    float32: 'float',
    float64: 'double',
    string: 'varchar',
    bool: 'boolean',
    timestamp: 'timestamptz',
    bytes: 'blob',
    uuid: 'varchar',
  },
  toMicros: (instant) => `epoch_us(${instant})`,
  fromMicros: (micros) => `make_timestamptz(${micros})`,
  quotient: (dividend, divisor) => `${dividend} // ${divisor}`,
  floor: (micros, hop) => `${micros} - (${micros} % ${hop} + ${hop}) % ${hop}`,
  // Such sums are of 128 bits.
  summable: (integer) => integer,
  isFinite: (double) => `isfinite(${double})`,
  timeAt: (times, index) => `[${times.join(', ')}][${index} + 1]`,
  merge: (call, window) => `${call} over w${window}`,
  spread(aggregated) {
    const { cell, part, value, window } = aggregated
    const double = asDouble(duckDbDialect, value)
    const tame = `abs(${double}) <= ${duckDbDialect.double(largestSquarable)}`
    return {
      cells: [],
      events: [{ name: `${cell}_tame`, sql: ifCounting(aggregated, double, tame) }],
      parts: [{ name: `${part}_w`, sql: `var_samp(${cell}_tame) over w${window}` }],
      variance: `${part}_w`,
    }
  },
  distinct({ part }) {
    return {
      ...nothingElse,
      cells: [],
      parts: [{ name: `${part}_d`, sql: `sum(${part}_c) over until_now` }],
      value: `coalesce(${part}_d, 0)`,
      tolerance: null,
    }
  },
  end(aggregated, end) {
    const { cell, part, value, window } = aggregated
    const pick = end === 'first' ? 'arg_min' : 'arg_max'
    return {
      ...nothingElse,
      cells: [
        {
          name: `${cell}_${end}`,
          sql: counting(aggregated, `${pick}(${value}, row(${position.join(', ')}))`, `${value} is not null`),
        },
      ],
      // Tiles stand in the order of their events, which are apart in time.
      parts: [{ name: `${part}_${end}`, sql: `${end}_value(${cell}_${end} ignore nulls) over w${window}` }],
      value: `${part}_${end}`,
      tolerance: null,
    }
  },
}
