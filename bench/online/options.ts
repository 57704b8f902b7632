import path from 'node:path'
import { parseArgs } from 'node:util'
import type { Operation } from './expected.ts'
import { customerCount } from './world.ts'

export const usage = `npm run bench -- [options]
  --rounds 5       interleaved rounds
  --seconds 1      length of a burst
  --quick          one round of 0.1 s over few customers: checks the answers, its figures mean nothing
  --also <folder>  measure the gateway of another checkout too (may be repeated)
  --processes 2    measure as many gateways of this checkout at once too, connections shared out among them
  --feast          measure Feast's Python server too, where Python is and PyPI can be reached
  --only <what>    features, freshness, unknown or vectors (may be repeated); default: all
  --soak 10        instead: minutes of 100 entities a request, and what the gateway holds in memory`

const operations = ['features', 'freshness', 'unknown', 'vectors'] as const satisfies readonly Operation[]

export interface Options {
  readonly rounds: number
  readonly seconds: number
  readonly customers: number
  /** Distinct requests of each kind and size. */
  readonly bodies: number
  readonly also: readonly string[]
  /** Of the gateway that is measured with more than one; null: none is. */
  readonly processes: number | null
  readonly feast: boolean
  readonly operations: readonly Operation[]
  readonly soakMinutes: number | null
}

/** Null: they are wrong, or the usage is asked for. */
export function readOptions(): Options | null {
  const { values } = parseArgs({
    options: {
      rounds: { type: 'string' },
      seconds: { type: 'string' },
      quick: { type: 'boolean', default: false },
      also: { type: 'string', multiple: true, default: [] },
      processes: { type: 'string' },
      feast: { type: 'boolean', default: false },
      only: { type: 'string', multiple: true, default: [] },
      soak: { type: 'string' },
      help: { type: 'boolean', default: false },
    },
  })
  const rounds = Number(values.rounds ?? (values.quick ? 1 : 5))
  const seconds = Number(values.seconds ?? (values.quick ? 0.1 : 1))
  const processes = values.processes === undefined ? null : Number(values.processes)
  const soakMinutes = values.soak === undefined ? null : Number(values.soak)
  const only = operations.filter((operation) => values.only.includes(operation))
  const isRight =
    Number.isInteger(rounds) &&
    rounds > 0 &&
    seconds > 0 &&
    (processes === null || (Number.isInteger(processes) && processes > 1)) &&
    (soakMinutes === null || soakMinutes > 0) &&
    only.length === new Set(values.only).size
  if (values.help || !isRight) return null
  return {
    ...{ rounds, seconds, processes, soakMinutes },
    customers: values.quick ? 5_000 : customerCount,
    bodies: values.quick ? 20 : 300,
    feast: values.feast,
    also: values.also.map((folder) => path.resolve(folder)),
    operations: only.length === 0 ? operations : only,
  }
}
