import { once } from 'node:events'
import { chmod } from 'node:fs/promises'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { isAlive, judgePostmasterPid } from '../../src/embedded/postmaster-pid.ts'
import { execute } from '../services/postgres.ts'
import { waitUntil } from '../services/wait-until.ts'
import { ask, embeddedFolders, serverPid } from './embedded-folders.ts'

const { cleanups, folderWithData, start, startProcess } = embeddedFolders()

async function killServer(folder: string): Promise<void> {
  process.kill(await serverPid(folder), 'SIGKILL')
}

/** Postgres does not start on data that others may read; one that runs goes on. */
async function refuseStarts(folder: string): Promise<void> {
  await chmod(join(folder, 'postgres'), 0o777)
}
async function allowStarts(folder: string): Promise<void> {
  await chmod(join(folder, 'postgres'), 0o700)
}

async function waitForLine(logged: readonly string[], words: string): Promise<void> {
  await waitUntil(
    () => logged.some((line) => line.includes(words)),
    () => `"${words}" is logged:\n${logged.join('\n')}`,
  )
}

describe('an embedded Postgres that ends', () => {
  it('comes back by itself on its port, with what was committed last, each time, and a line logged for each step', async () => {
    const folder = await folderWithData()
    const logged: string[] = []
    const postgres = await start(folder, logged)
    const { url } = postgres
    const { port } = new URL(url)
    await execute(url, 'create table kept (n int)')
    for (const count of [1, 2]) {
      await execute(url, `insert into kept values (${count})`)
      await killServer(folder)
      await waitUntil(() => logged.length === 3, 'it is back')
      expect(logged.splice(0)).toEqual([
        'embedded Postgres: ended unexpectedly with code 137; see postgres.log',
        expect.stringMatching(/^embedded Postgres: being started again in [12]00 ms$/),
        `embedded Postgres: back on port ${port}`,
      ])
      expect(postgres.url).toBe(url)
      expect(await ask(url, 'select count(*)::int from kept')).toEqual([count])
    }
  })

  it('comes back on another port when its own is taken, and reports the URL', async () => {
    const folder = await folderWithData()
    const logged: string[] = []
    const moved: string[] = []
    const postgres = await start(folder, logged, (url) => moved.push(url))
    const { url } = postgres
    await refuseStarts(folder)
    await killServer(folder)
    await waitForLine(logged, 'not started again')
    const taker = createServer().listen(Number(new URL(url).port), '127.0.0.1')
    cleanups.push(async () => taker.close())
    await once(taker, 'listening')
    await allowStarts(folder)
    await waitForLine(logged, 'back on port')
    expect(postgres.url).not.toBe(url)
    expect(moved).toEqual([postgres.url])
    expect(await ask(postgres.url, 'select 1')).toEqual([1])
  })

  it('is tried again after growing pauses while it cannot start, saying why; a stop then leaves no server', async () => {
    const folder = await folderWithData()
    const logged: string[] = []
    const postgres = await start(folder, logged)
    await refuseStarts(folder)
    await killServer(folder)
    await waitForLine(logged, 'next try in 800 ms')
    expect(logged.slice(1).map((line) => line.split('\n')[0])).toEqual([
      'embedded Postgres: being started again in 100 ms',
      ...[200, 400, 800].map(
        (ms) =>
          `embedded Postgres: not started again, next try in ${ms} ms: Postgres on ${join(folder, 'postgres')} did not start:`,
      ),
    ])
    expect(logged.at(-1)).toContain('has invalid permissions')
    await postgres.stop()
    await allowStarts(folder)
    expect((await judgePostmasterPid(join(folder, 'postgres'))).kind).toBe('STALE')
    expect((await start(folder)).joined).toBe(false)
  })

  it('is ended by a stop in the middle of its start', async () => {
    const folder = await folderWithData()
    const postgres = await start(folder)
    const first = await serverPid(folder)
    await killServer(folder)
    let second = first
    await waitUntil(async () => {
      second = await serverPid(folder).catch(() => first)
      return second !== first
    }, 'it is being started again')
    await postgres.stop()
    expect(isAlive(second)).toBe(false)
    expect((await start(folder)).joined).toBe(false)
  })

  it('is left to the process that started it by one that joined, as long as that process lives', async () => {
    const folder = await folderWithData()
    const owner = startProcess(folder)
    await owner.started
    const logged: string[] = []
    const joined = await start(folder, logged)
    expect(joined.joined).toBe(true)
    // It lives and does nothing: whatever starts the server now is not it.
    owner.child.kill('SIGSTOP')
    await killServer(folder)
    const { pid } = owner.child
    await waitForLine(logged, `ended, which process ${pid} had started`)
    owner.child.kill('SIGCONT')
    await waitForLine(logged, 'back on port')
    expect(logged.at(-1)).toBe(
      `embedded Postgres: back on port ${new URL(joined.url).port}, started by process ${pid}`,
    )
    expect(await ask(joined.url, 'select 1')).toEqual([1])
  })

  it('is started again by a process that joined when the one that started it is gone, and then ends with that', async () => {
    const folder = await folderWithData()
    const owner = startProcess(folder)
    const { url } = await owner.started
    const logged: string[] = []
    const joined = await start(folder, logged)
    expect(joined.joined).toBe(true)
    await owner.kill()
    await waitForLine(logged, 'back on port')
    expect(joined.url).toBe(url)
    expect(await ask(url, 'select 1')).toEqual([1])
    const pid = await serverPid(folder)
    await joined.stop()
    expect(isAlive(pid)).toBe(false)
  })
})
