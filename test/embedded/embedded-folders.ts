import { execFile } from 'node:child_process'
import { chmod, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import pg from 'pg'
import { afterEach } from 'vitest'
import { type EmbeddedPostgres, startEmbeddedPostgres } from '../../src/embedded/embedded-postgres.ts'
import { readPostmasterPid } from '../../src/embedded/postmaster-pid.ts'
import { type GatewayProcess, gatewayProcess } from './gateway-process.ts'

export interface EmbeddedFolders {
  /** Run after the test, the last first. */
  readonly cleanups: (() => Promise<unknown>)[]
  /** Its path has spaces in all these tests. */
  readonly newFolder: () => Promise<string>
  /** A folder that a gateway had before; the data is a copy of what was made once, since initdb takes two seconds of CPU. */
  readonly folderWithData: () => Promise<string>
  /** In this process; lines are added to `logged`. */
  readonly start: (
    folder: string,
    logged?: string[],
    onMoved?: (url: string) => void,
  ) => Promise<EmbeddedPostgres>
  readonly startProcess: (
    folder: string,
    account?: { readonly uid: number; readonly gid: number },
  ) => GatewayProcess
}

let made: Promise<string> | null = null

/** Folders and servers of the embedded Postgres for the tests of a file; each test's go with it. */
export function embeddedFolders(): EmbeddedFolders {
  const cleanups: (() => Promise<unknown>)[] = []
  afterEach(async () => {
    for (const cleanup of cleanups.splice(0).reverse()) await cleanup()
  })
  const newFolder = async (): Promise<string> => {
    const parent = await mkdtemp(join(tmpdir(), 'feature graph '))
    await chmod(parent, 0o755)
    cleanups.push(() => rm(parent, { recursive: true, force: true, maxRetries: 5 }))
    return join(parent, '.featuregraph')
  }
  return {
    cleanups,
    newFolder,
    async folderWithData() {
      made ??= mkdtemp(join(tmpdir(), 'featuregraph-made-')).then(async (folder) => {
        await chmod(folder, 0o755)
        const quiet = { info: () => {}, warn: () => {} }
        await (await startEmbeddedPostgres(folder, { log: quiet, onMoved: () => {} })).stop()
        return folder
      })
      const folder = await newFolder()
      await promisify(execFile)('cp', ['-a', await made, folder])
      return folder
    },
    async start(folder, logged = [], onMoved = () => {}) {
      const log = (line: string): unknown => logged.push(line)
      const postgres = await startEmbeddedPostgres(folder, { log: { info: log, warn: log }, onMoved })
      cleanups.push(postgres.stop)
      return postgres
    },
    startProcess(folder, account) {
      const gateway = gatewayProcess(folder, account)
      cleanups.push(async () => {
        if (gateway.child.exitCode === null && gateway.child.signalCode === null) await gateway.end()
      })
      return gateway
    },
  }
}

/** The first column of the rows, over a connection of its own. */
export async function ask(url: string, sql: string): Promise<readonly unknown[]> {
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  try {
    const { rows } = await client.query<unknown[]>({ text: sql, rowMode: 'array' })
    return rows.map((row) => row[0])
  } finally {
    await client.end()
  }
}

export async function serverPid(folder: string): Promise<number> {
  const postmaster = await readPostmasterPid(join(folder, 'postgres'))
  if (postmaster === null) throw new Error(`no postmaster.pid in ${folder}`)
  return postmaster.pid
}
