import { execFileSync } from 'node:child_process'
import { mkdir, open, readFile } from 'node:fs/promises'
import path from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { build } from 'esbuild'
import { freePort } from '../../src/embedded/free-port.ts'
import { spawnTied, type TiedProcess } from '../../src/embedded/pipe-tie.ts'

/** A server under measurement; its process ends with the bench, however that ends. */
export interface BenchServer {
  readonly name: string
  readonly port: number
  readonly pid: number
  readonly stop: () => Promise<void>
}

export interface ServerStart {
  readonly name: string
  /** Default: this Node. */
  readonly program?: string
  readonly script: string
  readonly args?: readonly string[]
  readonly environment: Readonly<Record<string, string>>
  /** An address that answers 200 when the server is ready; without one, any HTTP answer will do. */
  readonly readyPath?: string
  /** Default 30 seconds. */
  readonly startMs?: number
  /** Where it runs and logs. */
  readonly folder: string
}

export const root = fileURLToPath(new URL('../..', import.meta.url))
/** Starts a process that listens at PORT, a free port, and waits until it answers. Throws with its log when it does not. */
export async function startServer(start: ServerStart): Promise<BenchServer> {
  const port = await freePort()
  const logPath = path.join(start.folder, `${start.name.replaceAll(/\W+/g, '-')}.log`)
  const log = await open(logPath, 'a')
  try {
    const child = await spawnTied(start.program ?? process.execPath, [start.script, ...(start.args ?? [])], {
      cwd: start.folder,
      env: {
        PATH: process.env['PATH'] ?? '/usr/bin:/bin',
        ...start.environment,
        PORT: String(port),
        FEATUREGRAPH_PORT: String(port),
      },
      account: undefined,
      outputFd: log.fd,
    })
    if (!(await becomesReady(child, `http://127.0.0.1:${port}${start.readyPath ?? '/'}`, start))) {
      await stop(child)
      throw new Error(`${start.name} did not start:\n${await readFile(logPath, 'utf8')}`)
    }
    return { name: start.name, port, pid: child.pid, stop: () => stop(child) }
  } finally {
    await log.close()
  }
}

async function becomesReady(
  child: TiedProcess,
  url: string,
  { readyPath, startMs = 30_000 }: ServerStart,
): Promise<boolean> {
  let ended = false
  void child.exited.then(() => {
    ended = true
  })
  const until = performance.now() + startMs
  while (!ended && performance.now() < until) {
    const status = await fetch(url).then(
      (response) => response.status,
      () => 0,
    )
    if (readyPath === undefined ? status > 0 : status === 200) return true
    await sleep(50)
  }
  return false
}

async function stop(child: TiedProcess): Promise<void> {
  child.release()
  const gone = await Promise.race([child.exited, sleep(10_000, null, { ref: false })])
  if (gone === null) process.kill(child.pid, 'SIGKILL')
}

/** Builds the gateway of a checkout if its build is missing or of other sources, so that tsx is not measured. */
export async function ensureBuilt(checkout: string): Promise<'was built already' | 'built now'> {
  const { sourceDigest, builtDigest } = await import(
    pathToFileURL(path.join(checkout, 'src/source-digest.js')).href
  )
  if (sourceDigest() === builtDigest()) return 'was built already'
  execFileSync('npm', ['run', '--silent', 'build'], { cwd: checkout, stdio: ['ignore', 'ignore', 'inherit'] })
  return 'built now'
}

/** The bench's own processes as plain JavaScript, packages left outside; answers the folder with `<name>.mjs` each. */
export async function compilePrograms(names: readonly string[]): Promise<string> {
  const outdir = path.join(root, 'node_modules/.cache/featuregraph-bench')
  await mkdir(outdir, { recursive: true })
  await build({
    entryPoints: names.map((name) => fileURLToPath(new URL(`${name}.ts`, import.meta.url))),
    outdir,
    outExtension: { '.js': '.mjs' },
    bundle: true,
    packages: 'external',
    platform: 'node',
    format: 'esm',
    target: 'node20',
  })
  return outdir
}
