import { runBench, say } from '../run-bench.ts'
import { coresOfOthers, type Measurement } from './cells.ts'
import type { Operation } from './expected.ts'
import { goals, unknownEntities, vectorConnections, vectorRows } from './goals.ts'
import { type Options, readOptions, usage } from './options.ts'
import { cpuMicros, machineMicros } from './process-usage.ts'
import { loadTable, type RowOf, resultTable, serverNames } from './report.ts'
import { routesOf } from './routes.ts'
import { type Bench, type Contender, setUp } from './set-up.ts'
import { soak } from './soak.ts'

interface Case {
  readonly contender: Contender
  readonly operation: Operation
  readonly entities: number
  readonly connections: number
}

const sizes = [1, 10, 100]

/** What is measured of everything, and what of gateways only. */
function casesOf(contenders: readonly Contender[], operations: readonly Operation[]): readonly Case[] {
  const some = (
    operation: Operation,
    entities: number,
    counts: readonly number[],
    among: readonly Contender[],
  ): readonly Case[] =>
    counts.flatMap((connections) =>
      among
        .filter(({ processes }) => processes.length <= connections)
        .map((contender) => ({ contender, operation, entities, connections })),
    )
  const gateways = contenders.filter(({ isGateway }) => isGateway)
  const all = [
    ...[32, 1].flatMap((connections) => [
      ...sizes.flatMap((entities) => some('features', entities, [connections], contenders)),
      ...some('freshness', 100, [connections], gateways),
    ]),
    ...some('unknown', unknownEntities, [32], gateways),
    ...some('vectors', vectorRows, vectorConnections, gateways),
  ]
  return all.filter(({ operation }) => operations.includes(operation))
}

const rowOf = ({ contender, operation, entities, connections }: Case): RowOf => ({
  ...{ server: contender.name, operation, entities, connections },
})

async function measure({ contenders, redisPid, load, world }: Bench, options: Options): Promise<void> {
  const cells = new Map<string, Measurement[]>()
  const keyOf = (row: RowOf): string => `${row.server} ${row.operation} ${row.entities} ${row.connections}`
  const cases = casesOf(contenders, options.operations)
  const gateway = contenders.find(({ name }) => name === serverNames.gateway)?.processes[0]

  const targetOf = ({ contender, operation, entities }: Case) => ({
    ...{ server: contender.name, protocol: contender.protocol, operation, entities },
    ports: contender.processes.map(({ port }) => port),
  })
  const serverMicros = ({ contender }: Case): number | null => {
    const all = contender.processes.map(({ pid }) => cpuMicros(pid))
    return all.reduce((sum, one) => (sum === null || one === null ? null : sum + one), 0)
  }

  async function burst(one: Case, round: number): Promise<void> {
    const [server, redis, machine] = [serverMicros(one), cpuMicros(redisPid), machineMicros()]
    const burstOptions = { connections: one.connections, seconds: options.seconds }
    const report = await load.obey({ kind: 'burst', target: targetOf(one), options: burstOptions })
    if (report.kind !== 'burst') throw new TypeError(`a burst was answered by ${report.kind}`)
    const measurement = {
      ...{ ...report.burst, round },
      serverCpuMicros: since(server, serverMicros(one)),
      redisCpuMicros: since(redis, cpuMicros(redisPid)),
      machineCpuMicros: since(machine, machineMicros()),
    }
    const key = keyOf(rowOf(one))
    if (round > 0) cells.set(key, [...(cells.get(key) ?? []), measurement])
  }

  const checked = new Set<string>()
  for (const one of cases) {
    const target = targetOf(one)
    const key = JSON.stringify(target)
    if (!checked.has(key)) await load.obey({ kind: 'check', target, ...world })
    checked.add(key)
    // Round 0 warms and is not counted.
    await burst(one, 0)
  }
  say(`every body's answer was compared with the expected values; every later answer with those bytes`)
  for (let round = 1; round <= options.rounds; round += 1) {
    // Another order each round, so that no server always follows the same one.
    const first = (round * 7) % cases.length
    for (const one of [...cases.slice(first), ...cases.slice(0, first)]) await burst(one, round)
    say(`round ${round} of ${options.rounds}`)
  }

  const rows = cases.map(rowOf)
  const find = (row: RowOf): Measurement[] => cells.get(keyOf(row)) ?? []
  const before = contenders.flatMap(({ name, isGateway, processes }) =>
    isGateway && processes.length === 1 && name !== serverNames.gateway ? [name] : [],
  )
  const routes = gateway ? [...(await routesOf(gateway.port))] : []
  const others = coresOfOthers([...cells.values()].flat())
  const paragraphs = [
    resultTable(rows, find),
    goals(find, before).join('\n'),
    loadTable(rows, find),
    `The gateway's answers by what wrote them: ${routes.map(([route, count]) => `${route} ${count}`).join(', ')}.`,
    ...(others === null ? [] : [`Processes of others used ${others.toFixed(2)} cores in the median burst.`]),
    remarks,
  ]
  process.stdout.write(`\n${paragraphs.join('\n\n')}\n`)
}

const remarks = `Medians over the rounds; a share of the floor is taken within a round. Generator, Redis and server share the machine's
cores: where "server busy" is well below 100 % at 32 connections something else was the limit, and the floor, the
fastest, loses most by it. Then "of the floor by CPU" (the floor's CPU a request over the server's, the threads of the
garbage collector included) is the honest figure, and a goal that is met by requests a second is reported as unsure.
The floor answers features alone: what is asked with freshness or by a new text is compared with that.
The floor and default Apollo run with NODE_ENV=production, the gateway as npm start runs it.
Off Linux, CPU is not measured. Memory is what --soak measures.`

function since(before: number | null, after: number | null): number | null {
  return before === null || after === null ? null : after - before
}

await runBench(usage, readOptions, async (options) => {
  const bench = await setUp(options, say)
  if (options.soakMinutes === null) await measure(bench, options)
  else process.stdout.write(`${await soak(bench, options.soakMinutes)}\n`)
})
