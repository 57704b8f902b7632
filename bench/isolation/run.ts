import { fork } from 'node:child_process'
import { createHash } from 'node:crypto'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { startPostgres } from '../../test/services/postgres.ts'
import { startRedis } from '../../test/services/redis.ts'
import { type BurstResult, type KnownAnswers, runBurst } from '../online/burst.ts'
import { residentBytes } from '../online/process-usage.ts'
import { type BenchServer, compilePrograms, ensureBuilt, root, startServer } from '../online/servers.ts'
import { residentQuarters } from '../resident-quarters.ts'
import { endWith, runBench, say, wholeNumbers } from '../run-bench.ts'
import type { CallersOrder, CallersReport } from './callers.ts'
import { noteLine, onlineBody, spendLines, wideLines } from './world.ts'

const usage = `npm run bench:isolation -- [options]
  --rounds 3         rounds of online load alone, one spine caller alone, and both together
  --seconds 8        length of each part
  --connections 32   of the online load, each with one request at a time
  --callers 20       of 1,000-row spines, side by side
  --soak 10          minutes of mixed load instead; ends with 1 where what the gateway holds in memory has grown
  --gateway <folder> another checkout`

const { values: given } = parseArgs({
  options: {
    rounds: { type: 'string', default: '3' },
    seconds: { type: 'string', default: '8' },
    connections: { type: 'string', default: '32' },
    callers: { type: 'string', default: '20' },
    soak: { type: 'string' },
    gateway: { type: 'string', default: root },
    help: { type: 'boolean', default: false },
  },
})
const options = {
  rounds: Number(given.rounds),
  seconds: Number(given.seconds),
  connections: Number(given.connections),
  callers: Number(given.callers),
  soakMinutes: given.soak === undefined ? null : Number(given.soak),
  checkout: path.resolve(given.gateway),
}
const entities = 10
const bodyCount = 100

const print = (line: string): void => void process.stdout.write(`${line}\n`)

interface World {
  readonly gateway: BenchServer
  readonly online: KnownAnswers
  readonly callers: (order: Omit<CallersOrder, 'port' | 'base'>) => Promise<CallersReport>
  readonly keys: readonly string[]
}

async function setUp(): Promise<World> {
  say(`gateway of ${options.checkout}: ${await ensureBuilt(options.checkout)}`)
  const folder = await mkdtemp(path.join(tmpdir(), 'featuregraph-isolation-'))
  endWith(() => rm(folder, { recursive: true, force: true }))
  const programs = await compilePrograms(['../isolation/callers'])
  const [redis, postgres] = await Promise.all([startRedis(), startPostgres()])
  endWith(redis.stop, postgres.stop)
  const names = ['online', 'writer', ...Array.from({ length: options.callers }, (_, n) => `caller_${n}`)]
  const entry = (name: string) => ({
    ...{ name, sha256: createHash('sha256').update(name).digest('hex') },
    rights: name === 'writer' ? ['read', 'write'] : ['read'],
  })
  const keysFile = path.join(folder, 'keys.json')
  await writeFile(keysFile, JSON.stringify(names.map(entry)))
  const gateway = await startServer({
    name: 'gateway',
    script: path.join(options.checkout, 'src/featuregraph.js'),
    args: ['serve'],
    environment: {
      FEATUREGRAPH_ONLINE_URL: redis.url,
      FEATUREGRAPH_OFFLINE_URL: await postgres.createDatabase(),
      FEATUREGRAPH_DEMO: 'false',
      FEATUREGRAPH_API_KEYS_FILE: keysFile,
      FEATUREGRAPH_SCHEMA: path.join(root, 'bench/isolation/schema'),
      FEATUREGRAPH_LOG_LEVEL: 'warn',
    },
    readyPath: '/readyz',
    folder,
  })
  endWith(gateway.stop)
  const base = Date.now()
  for (const [view, lines] of [
    ['customer_spend', spendLines(base)],
    ['customer_wide', wideLines(base)],
    ['customer_note', [noteLine(base)]],
  ] as const)
    await push(gateway.port, view, lines)
  const program = path.join(programs, 'callers.mjs')
  return {
    gateway,
    online: await knownAnswers(gateway.port),
    callers: (order) => runCallers(program, { ...order, port: gateway.port, base }),
    keys: names.slice(2),
  }
}

async function push(port: number, view: string, lines: Iterable<string>): Promise<void> {
  const response = await fetch(`http://127.0.0.1:${port}/push/${view}`, {
    method: 'POST',
    headers: { authorization: 'Bearer writer', 'content-type': 'application/x-ndjson' },
    body: [...lines].join(''),
  })
  const [last = ''] = (await response.text()).trimEnd().split('\n').slice(-1)
  print(`${view}: ${last.slice(0, 200)}`)
  if (!last.includes('"rejected":0')) throw new Error(`rows of ${view} were refused`)
}

/** Asked once each by a full client; every later answer must be these bytes, so that no UNAVAILABLE passes. */
async function knownAnswers(port: number): Promise<KnownAnswers> {
  const requests: Buffer[] = []
  const answers: Buffer[] = []
  for (let turn = 0; turn < bodyCount; turn += 1) {
    const body = JSON.stringify(onlineBody(turn, entities))
    const response = await fetch(`http://127.0.0.1:${port}/graphql`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', authorization: 'Bearer online' },
      body,
    })
    const text = await response.text()
    if (text.includes('errors') || text.includes('null')) throw new Error(text.slice(0, 500))
    const head = [
      ...['POST /graphql HTTP/1.1', `host: 127.0.0.1:${port}`, 'authorization: Bearer online'],
      ...['content-type: application/json', `content-length: ${Buffer.byteLength(body)}`],
    ]
    requests.push(Buffer.from(`${head.join('\r\n')}\r\n\r\n${body}`))
    answers.push(Buffer.from(text))
  }
  return { requests, answers }
}

async function runCallers(program: string, order: CallersOrder): Promise<CallersReport> {
  const child = fork(program)
  const report = await new Promise<CallersReport & { readonly failed?: string }>((resolve, reject) => {
    child.once('message', (message) => resolve(message as CallersReport))
    child.once('exit', () => reject(new Error('the callers ended')))
    child.send(order)
  })
  child.disconnect()
  if (report.failed !== undefined) throw new Error(report.failed)
  return report
}

function onlineLoad({ gateway, online }: World, seconds: number): Promise<BurstResult> {
  return runBurst(online, { ports: [gateway.port], connections: options.connections, seconds })
}

const rate = ({ rows, seconds }: CallersReport): number => rows / seconds
const median = (all: readonly number[]): number =>
  [...all].sort((one, other) => one - other)[Math.floor(all.length / 2)] ?? Number.NaN
const shown = (report: CallersReport): string =>
  `${JSON.stringify(report.answers)}, p99 ${report.p99Ms.toFixed(0)} ms, worst ${report.worstMs.toFixed(0)} ms`

async function isolation(world: World): Promise<void> {
  const { callers, keys } = world
  const [only = ''] = keys
  const { seconds } = options
  // Warms both ways, and has the threads started.
  await Promise.all([onlineLoad(world, 2), callers({ kind: 'spine', keys: [only], seconds: 4 })])
  const ratios: number[] = []
  const shares: number[] = []
  for (let round = 1; round <= options.rounds; round += 1) {
    const alone = await onlineLoad(world, seconds)
    const one = await callers({ kind: 'spine', keys: [only], seconds })
    const [beside, many] = await Promise.all([
      onlineLoad(world, seconds),
      callers({ kind: 'spine', keys, seconds }),
    ])
    ratios.push(beside.p99Ms / alone.p99Ms)
    shares.push(rate(many) / rate(one))
    const perSecond = ({ requests, seconds: took }: BurstResult): string => (requests / took).toFixed(0)
    print(
      `round ${round}: online alone ${perSecond(alone)}/s p50 ${alone.p50Ms.toFixed(1)} p99 ${alone.p99Ms.toFixed(1)} ms; beside ${keys.length} spine callers ${perSecond(beside)}/s p50 ${beside.p50Ms.toFixed(1)} p99 ${beside.p99Ms.toFixed(1)} ms (${(beside.p99Ms / alone.p99Ms).toFixed(2)} times); spines ${rate(one).toFixed(0)} rows/s of one caller alone, ${rate(many).toFixed(0)} of all together (${(rate(many) / rate(one)).toFixed(2)}); ${shown(many)}`,
    )
  }
  print(
    `online p99 beside spines: ${median(ratios).toFixed(2)} times that without (goal: at most 3); every online answer was whole`,
  )
  print(`rows of all spine callers: ${median(shares).toFixed(2)} of one caller's alone (goal: at least 0.70)`)
  for (const kind of ['note', 'largeNote', 'wide', 'spine'] as const) {
    const [health, other] = await Promise.all([
      callers({ kind: 'health', keys: [only], seconds }),
      callers({ kind, keys: keys.slice(0, 4), seconds }),
    ])
    print(
      `/healthz beside 4 callers of ${kind}: worst ${health.worstMs.toFixed(0)} ms, p99 ${health.p99Ms.toFixed(0)} ms (goal: under 100); theirs: ${shown(other)}`,
    )
  }
}

const mostGrowth = 1.1

/** Mixed load for minutes; the first fifth warms. */
async function soak(world: World, minutes: number): Promise<void> {
  const { callers, keys, gateway } = world
  const seconds = minutes * 60
  const resident: number[] = []
  let isOver = false
  const watching = (async () => {
    while (!isOver) {
      resident.push(residentBytes(gateway.pid) ?? 0)
      await sleep(1_000)
    }
  })()
  const part = (index: number): readonly string[] => keys.slice(index * 3, index * 3 + 3)
  const loads = [
    ['online', part(0)],
    ['online100', part(6)],
    ['spine', part(1)],
    ['wide', part(2).slice(0, 1)],
    ['largeNote', part(3).slice(0, 1)],
    ['note', part(4).slice(0, 1)],
    ['health', part(5).slice(0, 1)],
  ] as const
  const reports = await Promise.all(loads.map(([kind, of]) => callers({ kind, keys: of, seconds })))
  isOver = true
  await watching
  loads.forEach(([kind], index) => {
    const report = reports[index]
    if (report) print(`${kind}: ${shown(report)}`)
  })
  const { line, grew } = residentQuarters(resident)
  const isLevel = grew <= mostGrowth
  print(`${line}: ${isLevel ? 'reached' : 'NOT reached'}`)
  const failed = loads.filter(
    ([kind], index) =>
      kind.startsWith('online') && Object.keys(reports[index]?.answers ?? {}).join() !== '200 ok',
  )
  for (const [kind] of failed) print(`NOT every answer of ${kind} was whole`)
  if (!isLevel || failed.length > 0) process.exitCode = 1
}

await runBench(
  usage,
  () => {
    const { rounds, seconds, connections, callers, soak: minutes = '1' } = given
    return wholeNumbers({ rounds, seconds, connections, callers, minutes })
  },
  async () => {
    const world = await setUp()
    if (options.soakMinutes === null) await isolation(world)
    else await soak(world, options.soakMinutes)
  },
)
