import { spawn } from 'node:child_process'
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { transform } from 'esbuild'
import { startPostgres } from '../../test/services/postgres.ts'
import { startRedis } from '../../test/services/redis.ts'
import { ensureBuilt, root } from '../online/servers.ts'

/** What a process took when it ended; CPU of all its threads. */
interface Usage {
  readonly megabytes: number
  readonly cpuMs: number
}

/** The commands that a platform runs often, and the gateway, with what each may load at its start. */
const commands: readonly (readonly string[])[] = [
  ['--version'],
  ['--help'],
  ['migrate'],
  ['apply'],
  ['status'],
  ['runs'],
  ['materialize'],
  ['batch'],
  ['worker', '--once'],
  ['delete-entity', 'customer', '424242'],
  ['stream', '--once'],
  ['sdl'],
  ['serve'],
]

const rounds = 5

/** The demo's definitions as plain JavaScript, so that the command has no TypeScript to load. */
async function javaScriptDefinitions(): Promise<string> {
  const folder = path.join(root, '.cache/bench-commands/schema')
  await mkdir(folder, { recursive: true })
  for (const name of await readdir(path.join(root, 'schema'))) {
    if (!name.endsWith('.ts')) continue
    const { code } = await transform(await readFile(path.join(root, 'schema', name), 'utf8'), {
      loader: 'ts',
    })
    await writeFile(path.join(folder, name.replace(/\.ts$/, '.js')), code)
  }
  return folder
}

/** Runs one command to its end; `serve` until it answers, then SIGTERM. Throws with its output where it fails. */
async function measure(
  args: readonly string[],
  environment: Readonly<Record<string, string>>,
  folder: string,
) {
  const usagePath = path.join(folder, 'usage.json')
  const hook = `process.on('exit', () => {
    const { maxRSS, userCPUTime, systemCPUTime } = process.resourceUsage()
    require('node:fs').writeFileSync(${JSON.stringify(usagePath)}, JSON.stringify({ maxRSS, userCPUTime, systemCPUTime }))
  })`
  const hookPath = path.join(folder, 'usage.cjs')
  await writeFile(hookPath, hook)
  const child = spawn(
    process.execPath,
    ['--require', hookPath, path.join(root, 'src/featuregraph.js'), ...args],
    {
      cwd: folder,
      env: { PATH: process.env['PATH'] ?? '/usr/bin:/bin', ...environment },
      stdio: ['ignore', 'pipe', 'pipe'],
    },
  )
  let output = ''
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding('utf8').on('data', (text: string) => {
      output += text
      if (args[0] === 'serve' && output.includes('answers at')) child.kill('SIGTERM')
    })
  const code = await new Promise<number | null>((resolve) => child.on('close', resolve))
  if (code !== 0) throw new Error(`featuregraph ${args.join(' ')} ended with ${code}:\n${output}`)
  const { maxRSS, userCPUTime, systemCPUTime } = JSON.parse(await readFile(usagePath, 'utf8'))
  return { megabytes: maxRSS / 1_024, cpuMs: (userCPUTime + systemCPUTime) / 1_000 } satisfies Usage
}

function median(values: readonly number[]): number {
  return [...values].sort((left, right) => left - right)[Math.floor(values.length / 2)] ?? Number.NaN
}

const folder = await mkdtemp(path.join(tmpdir(), 'featuregraph-commands-'))
await ensureBuilt(root)
const [postgres, redis, schema] = await Promise.all([startPostgres(), startRedis(), javaScriptDefinitions()])
try {
  const environment = {
    FEATUREGRAPH_OFFLINE_URL: await postgres.createDatabase(),
    FEATUREGRAPH_ONLINE_URL: redis.url,
    FEATUREGRAPH_SCHEMA: schema,
    FEATUREGRAPH_PORT: '0',
    FEATUREGRAPH_LOG_LEVEL: 'warn',
  }
  process.stdout.write(`median of ${rounds}; first runs are left out\n`)
  for (const args of commands) {
    await measure(args, environment, folder)
    const usages: Usage[] = []
    for (let round = 0; round < rounds; round += 1) usages.push(await measure(args, environment, folder))
    const cpu = median(usages.map((one) => one.cpuMs))
    const memory = median(usages.map((one) => one.megabytes))
    process.stdout.write(
      `${args.join(' ').padEnd(32)} ${memory.toFixed(0).padStart(5)} MB ${cpu.toFixed(0).padStart(6)} ms of CPU\n`,
    )
  }
} finally {
  await Promise.all([postgres.stop(), redis.stop()])
  await rm(folder, { recursive: true, force: true })
}
