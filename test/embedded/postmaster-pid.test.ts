import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import {
  judgePostmasterPid,
  parsePostmasterPid,
  removeStalePidFile,
} from '../../src/embedded/postmaster-pid.ts'

let folder = ''

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'featuregraph-pid-'))
})

afterEach(async () => {
  await rm(folder, { recursive: true, force: true })
})

describe('a pid file', () => {
  it('is read by its lines, of which a starting server has written only the first', () => {
    expect(parsePostmasterPid('42\n/data\n1795409043\n5432\n\n127.0.0.1\n 1 2\nready   \n')).toEqual({
      pid: 42,
      port: 5432,
      ready: true,
    })
    expect(parsePostmasterPid('42\n/data\n1795409043\n5432\n\n127.0.0.1\n 1 2\nstopping\n')?.ready).toBe(
      false,
    )
    expect(parsePostmasterPid('42\n')).toEqual({ pid: 42, port: undefined, ready: false })
    expect(parsePostmasterPid('')).toBe(null)
    expect(parsePostmasterPid('-42\n/data\n')).toBe(null)
  })

  it('is absent, being written, or stale when it names this very process, which is no Postgres', async () => {
    expect(await judgePostmasterPid(folder)).toEqual({ kind: 'ABSENT' })
    await writeFile(join(folder, 'postmaster.pid'), '')
    expect(await judgePostmasterPid(folder)).toEqual({ kind: 'NOT_READY' })
    const text = `${process.pid}\n${folder}\n1795409043\n5432\n\n127.0.0.1\n 1 2\nready   \n`
    await writeFile(join(folder, 'postmaster.pid'), text)
    expect(await judgePostmasterPid(folder)).toEqual({ kind: 'STALE', reason: 'STRANGER', text })
  })

  it('is removed only as it was judged', async () => {
    await writeFile(join(folder, 'postmaster.pid'), 'of a new server')
    await removeStalePidFile(folder, 'of a dead server')
    expect(await readFile(join(folder, 'postmaster.pid'), 'utf8')).toBe('of a new server')
    await removeStalePidFile(folder, 'of a new server')
    expect(await readdir(folder)).toEqual([])
    await removeStalePidFile(folder, 'of a new server')
  })
})
