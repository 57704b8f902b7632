import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmod, chown, mkdir, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { promisify } from 'node:util'
import pg from 'pg'
import { describe, expect, it } from 'vitest'
import { isAlive } from '../../src/embedded/postmaster-pid.ts'
import { EmbeddedPostgresFailed } from '../../src/errors.ts'
import { execute } from '../services/postgres.ts'
import { waitUntil } from '../services/wait-until.ts'
import { ask, embeddedFolders, serverPid } from './embedded-folders.ts'

const root = process.getuid?.() === 0
const nobody = { uid: 65534, gid: 65534 }
/** The account that Postgres has here: as root, another one's process would not stop it from starting. */
const postgresAccount = root ? nobody : {}

const { cleanups, newFolder, folderWithData, start, startProcess } = embeddedFolders()

async function exists(path: string): Promise<boolean> {
  return await stat(path).then(
    () => true,
    () => false,
  )
}

async function writePidFile(folder: string, pid: number): Promise<void> {
  const data = join(folder, 'postgres')
  const lines = [pid, data, 1_795_409_043, 5999, '', '127.0.0.1', '  9978033         6', 'ready   ']
  await writeFile(join(data, 'postmaster.pid'), `${lines.join('\n')}\n`, { mode: 0o600 })
  if (root) await chown(join(data, 'postmaster.pid'), nobody.uid, nobody.gid)
}

describe('the embedded Postgres', () => {
  it('starts on a fresh folder, spaces in its path, with the settings of the gateway, and keeps its data over a restart', async () => {
    const folder = await newFolder()
    const first = await start(folder)
    expect(first.joined).toBe(false)
    await execute(first.url, 'create table kept as select 7 as n')
    const settings = `select name || '=' || setting from pg_settings where name in ('server_encoding', 'lc_collate',
      'TimeZone', 'jit', 'fsync', 'synchronous_commit', 'max_connections', 'unix_socket_directories', 'listen_addresses')
      order by name`
    expect(await ask(first.url, settings)).toEqual([
      'TimeZone=UTC',
      'fsync=on',
      'jit=off',
      'listen_addresses=127.0.0.1',
      'max_connections=40',
      'server_encoding=UTF8',
      'synchronous_commit=on',
      'unix_socket_directories=',
    ])
    await first.stop()
    await first.stop()
    expect(await exists(join(folder, 'postgres', 'postmaster.pid'))).toBe(false)

    const second = await start(folder)
    expect(await ask(second.url, 'select n from kept')).toEqual([7])
  })

  it('lets nobody in without the password, which only its owner may read', async () => {
    const folder = await folderWithData()
    const { url } = await start(folder)
    const wrong = new URL(url)
    wrong.password = 'guessed'
    await expect(ask(wrong.href, 'select 1')).rejects.toThrow('password authentication failed')
    const file = await stat(join(folder, 'postgres', 'featuregraph.password'))
    expect(file.mode & 0o777).toBe(0o600)
  })

  it('joins the server of another process, and leaves it running', async () => {
    const folder = await folderWithData()
    const owner = await startProcess(folder).started
    expect(owner.joined).toBe(false)
    const joined = await start(folder)
    expect(joined.joined).toBe(true)
    expect(joined.url).toBe(owner.url)
    await joined.stop()
    expect(await ask(owner.url, 'select 1')).toEqual([1])
  })

  it('is stopped in order by the process that started it, which then ends by itself, though one is connected', async () => {
    const folder = await folderWithData()
    const gateway = startProcess(folder)
    const client = new pg.Client({ connectionString: (await gateway.started).url })
    const dropped = new Promise((resolve) => client.on('error', resolve))
    await client.connect()
    const pid = await serverPid(folder)
    expect(await gateway.end()).toBe(0)
    expect(isAlive(pid)).toBe(false)
    await dropped
    expect(await readFile(join(folder, 'postgres.log'), 'utf8')).toMatch(/database system is shut down\n$/)
  })

  it('goes away within a moment of the SIGKILL of its process, with its pid file', async () => {
    const folder = await folderWithData()
    const gateway = startProcess(folder)
    const { url } = await gateway.started
    await execute(url, 'create table kept as select 7 as n')
    const pid = await serverPid(folder)
    await gateway.kill()
    await waitUntil(() => !isAlive(pid), 'Postgres has ended')
    expect(await exists(join(folder, 'postgres', 'postmaster.pid'))).toBe(false)
    expect(await ask((await start(folder)).url, 'select n from kept')).toEqual([7])
  })

  it('does not hear the Ctrl-C that its process hears', async () => {
    const folder = await folderWithData()
    const gateway = startProcess(folder)
    const { url } = await gateway.started
    process.kill(-(gateway.child.pid ?? Number.NaN), 'SIGINT')
    await sleep(150)
    expect(gateway.child.exitCode).toBe(null)
    expect(await ask(url, 'select 1')).toEqual([1])
  })

  it('starts over a pid file whose process is gone, a stranger, or a zombie', async () => {
    const folder = await folderWithData()
    const stranger = spawn('sleep', ['600'], postgresAccount)
    // The shell becomes a `sleep`, which never asks for the end of the shell's child. The child must outlive the shell,
    // which would ask.
    const zombies = spawn('sh', ['-c', 'sleep 0.5 & echo $!; exec sleep 600'], postgresAccount)
    cleanups.push(
      async () => void stranger.kill(),
      async () => void zombies.kill(),
    )
    const [line] = await once(zombies.stdout, 'data')
    const zombie = Number(String(line).trim())
    await waitUntil(
      async () =>
        (await promisify(execFile)('ps', ['-p', String(zombie), '-o', 'stat='])).stdout
          .trim()
          .startsWith('Z'),
      'the child is a zombie',
    )
    const gone = spawn('true')
    await once(gone, 'exit')

    for (const [pid, said] of [
      [gone.pid, []],
      [stranger.pid, ['embedded Postgres: removing a stale postmaster.pid (stranger)']],
      [zombie, ['embedded Postgres: removing a stale postmaster.pid (zombie)']],
    ] as const) {
      await writePidFile(folder, pid ?? Number.NaN)
      const logged: string[] = []
      const postgres = await start(folder, logged)
      expect(postgres.joined).toBe(false)
      expect(await ask(postgres.url, 'select 1')).toEqual([1])
      expect(logged).toEqual(said)
      await postgres.stop()
    }
    expect(isAlive(zombie)).toBe(true)
  })

  it('is not poisoned by an initdb killed in the middle', async () => {
    const folder = await newFolder()
    const gateway = startProcess(folder)
    const partial = async (): Promise<string | undefined> =>
      (await readdir(folder).catch(() => [])).find((name) => name.startsWith('postgres.new-'))
    await waitUntil(
      async () => exists(join(folder, (await partial()) ?? '-', 'data', 'base')),
      'initdb is at work',
    )
    await gateway.kill()
    expect(await exists(join(folder, 'postgres'))).toBe(false)
    expect(await partial()).toBeDefined()

    expect(await ask((await start(folder)).url, 'select 1')).toEqual([1])
    expect(await partial()).toBeUndefined()
  })

  it('is started by one and joined by the other of two processes at once on a fresh folder', async () => {
    const folder = await newFolder()
    const both = await Promise.all([startProcess(folder).started, startProcess(folder).started])
    expect(both.map((one) => one.joined).sort()).toEqual([false, true])
    for (const { url } of both) expect(await ask(url, 'select 1')).toEqual([1])
    expect((await readdir(folder)).sort()).toEqual(['postgres', 'postgres.log'])
  })

  it('is started by one and joined by the rest of four starts at once on a folder with data', async () => {
    const folder = await folderWithData()
    const all = await Promise.all([1, 2, 3, 4].map(() => start(folder)))
    expect(all.filter((one) => !one.joined)).toHaveLength(1)
    expect(new Set(all.map((one) => one.url)).size).toBe(1)
  })

  it('says what is wrong with a folder that holds something else', async () => {
    const folder = await newFolder()
    await mkdir(join(folder, 'postgres'), { recursive: true })
    await writeFile(join(folder, 'postgres', 'notes.txt'), '')
    const refused = start(folder)
    await expect(refused).rejects.toThrow(EmbeddedPostgresFailed)
    await expect(refused).rejects.toThrow('holds something other than a Postgres data folder')
  })

  it.skipIf(!root)(
    'moves to /var/tmp and says so when root keeps it where others may not enter',
    async () => {
      const folder = await newFolder()
      await mkdir(folder)
      await chmod(folder, 0o700)
      const logged: string[] = []
      const postgres = await start(folder, logged)
      const moved =
        /its data is in (\/var\/tmp\/featuregraph-[0-9a-f]{16})$/.exec(logged[0] ?? '')?.[1] ?? '-'
      cleanups.unshift(() => rm(moved, { recursive: true, force: true }))
      expect(await ask(postgres.url, 'show data_directory')).toEqual([join(moved, 'postgres')])
      expect(await readdir(folder)).toEqual([])
      expect((await stat(moved)).uid).toBe(0)
      await postgres.stop()

      await chown(moved, nobody.uid, nobody.gid)
      await expect(start(folder)).rejects.toThrow('Somebody else made it')
    },
  )

  // When the tests themselves are not root's, every test above is this one.
  it.skipIf(!root)('runs in place as an ordinary user', async () => {
    const folder = await newFolder()
    await mkdir(folder)
    await chmod(folder, 0o700)
    await chown(folder, nobody.uid, nobody.gid)
    const gateway = startProcess(folder, nobody)
    const { url } = await gateway.started
    expect(await ask(url, 'show data_directory')).toEqual([join(folder, 'postgres')])
    expect(await gateway.end()).toBe(0)
  })
})
