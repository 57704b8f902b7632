import { execFile } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { link, readFile, rename, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { errorCode, ifMissing } from '../errors.ts'

/** The lines of `postmaster.pid` that matter here. A server writes the later ones only while it starts. */
export interface PostmasterPid {
  readonly pid: number
  readonly port: number | undefined
  readonly ready: boolean
}

/** What a pid file says about the server of its data folder. */
export type PidVerdict =
  | { readonly kind: 'ABSENT' }
  /** `ownerPid`: the process that started it; undefined where the system does not show a process's arguments. */
  | {
      readonly kind: 'READY'
      readonly pid: number
      readonly port: number
      readonly ownerPid: number | undefined
    }
  /** A live server that starts, recovers or stops: poll again. */
  | { readonly kind: 'NOT_READY' }
  /** `text` is what was judged, for `removeStalePidFile`. */
  | { readonly kind: 'STALE'; readonly reason: StaleReason; readonly text: string }

/** GONE: no such process. ZOMBIE: dead, not yet reaped. STRANGER: the number now belongs to another program. */
type StaleReason = 'GONE' | 'ZOMBIE' | 'STRANGER' | 'MALFORMED'

/** Whose value, on the command line of a server, is the pid of the process that started it. */
export const ownerSetting = 'featuregraph.owner_pid'

/** An empty pid file is one being written; after this long, one that a crash of the machine left. */
const writingMs = 2000

/** Null where the text is not (yet) a pid file. Lines by `miscadmin.h` of Postgres: 1 pid, 4 port, 8 status. */
export function parsePostmasterPid(text: string): PostmasterPid | null {
  const lines = text.split('\n').map((line) => line.trim())
  const pid = Number(lines[0])
  if (!Number.isSafeInteger(pid) || pid <= 0) return null
  const port = Number(lines[3])
  return {
    pid,
    port: Number.isSafeInteger(port) && port > 0 ? port : undefined,
    ready: lines[7] === 'ready',
  }
}

/** Reads and parses the folder's pid file; null when there is none or it is only half written. */
export async function readPostmasterPid(dataFolder: string): Promise<PostmasterPid | null> {
  const text = await readPidFile(dataFolder)
  return text === null ? null : parsePostmasterPid(text)
}

/**
 * Judges the pid file of a data folder by the process it names: live means alive, not a zombie, and a `postgres` whose
 * arguments name this folder. Postgres itself refuses to start over a zombie and over any live process of its own
 * account, which in a container, where numbers repeat, can be anything. A process that cannot be looked at counts as
 * live, since removing the pid file of a live server stops it within a minute.
 */
export async function judgePostmasterPid(dataFolder: string): Promise<PidVerdict> {
  const text = await readPidFile(dataFolder)
  if (text === null) return { kind: 'ABSENT' }
  const postmaster = parsePostmasterPid(text)
  if (postmaster === null) {
    return (await ageMs(dataFolder)) < writingMs
      ? { kind: 'NOT_READY' }
      : { kind: 'STALE', reason: 'MALFORMED', text }
  }
  const found = await lookAtProcess(postmaster.pid)
  switch (found.state) {
    case 'GONE':
    case 'ZOMBIE':
      return { kind: 'STALE', reason: found.state, text }
    case 'ALIVE':
      if (found.command !== undefined && !isPostgresOf(found.command, dataFolder)) {
        return { kind: 'STALE', reason: 'STRANGER', text }
      }
      return postmaster.ready && postmaster.port !== undefined
        ? {
            kind: 'READY',
            pid: postmaster.pid,
            port: postmaster.port,
            ownerPid: ownerOf(found.command ?? ''),
          }
        : { kind: 'NOT_READY' }
  }
}

/**
 * Removes the pid file that was judged stale, and no other: it is renamed, compared, and put back if another process
 * has meanwhile started a server and written its own. Postgres's check of the shared memory still refuses to start
 * beside live children of a dead server.
 */
export async function removeStalePidFile(dataFolder: string, judgedText: string): Promise<void> {
  const path = join(dataFolder, 'postmaster.pid')
  const renamed = `${path}.stale-${randomUUID()}`
  try {
    await rename(path, renamed)
    if ((await readFile(renamed, 'utf8')) !== judgedText) await link(renamed, path)
  } catch (error) {
    if (!['ENOENT', 'EEXIST'].includes(errorCode(error))) throw error
  } finally {
    await rm(renamed, { force: true })
  }
}

type ProcessState =
  | { readonly state: 'GONE' | 'ZOMBIE' }
  /** `command` is undefined where the system does not show it. */
  | { readonly state: 'ALIVE'; readonly command: string | undefined }

async function lookAtProcess(pid: number): Promise<ProcessState> {
  if (!isAlive(pid)) return { state: 'GONE' }
  try {
    // The name in parentheses may hold anything, so the state is what follows the last one.
    const status = await readFile(`/proc/${pid}/stat`, 'utf8')
    const state = status.slice(status.lastIndexOf(')') + 2, status.lastIndexOf(')') + 3)
    if (state === 'Z' || state === 'X') return { state: 'ZOMBIE' }
    const command = await readFile(`/proc/${pid}/cmdline`, 'utf8')
    return { state: 'ALIVE', command: command.replaceAll('\0', ' ').trim() }
  } catch {
    return await askPs(pid)
  }
}

/** For macOS, which has no `/proc`. */
async function askPs(pid: number): Promise<ProcessState> {
  try {
    const { stdout } = await promisify(execFile)('ps', ['-ww', '-p', String(pid), '-o', 'stat=,command='])
    const [, state = '', command] = /^\s*(\S+)\s+(.*)/.exec(stdout) ?? []
    return state.startsWith('Z') ? { state: 'ZOMBIE' } : { state: 'ALIVE', command }
  } catch {
    return isAlive(pid) ? { state: 'ALIVE', command: undefined } : { state: 'GONE' }
  }
}

/** True for a process that exists, whichever user owns it, and is no zombie. */
export async function isRunning(pid: number): Promise<boolean> {
  return (await lookAtProcess(pid)).state === 'ALIVE'
}

/** True for a process that exists, whichever user owns it; a zombie exists. */
export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return errorCode(error) === 'EPERM'
  }
}

/** By the command line that `start-server.ts` gives. The wrapper's own line also names the folder, but begins with `/bin/sh`. */
function isPostgresOf(command: string, dataFolder: string): boolean {
  const at = command.indexOf(` -D ${dataFolder} -p `)
  return at > 0 && command.slice(0, at).endsWith('/postgres')
}

/** By a setting that Postgres does not know and that `start-server.ts` gives for this. */
function ownerOf(command: string): number | undefined {
  const owner = new RegExp(` ${ownerSetting}=(\\d+)( |$)`).exec(command)?.[1]
  return owner === undefined ? undefined : Number(owner)
}

async function readPidFile(dataFolder: string): Promise<string | null> {
  return await readFile(join(dataFolder, 'postmaster.pid'), 'utf8').catch(ifMissing(null))
}

async function ageMs(dataFolder: string): Promise<number> {
  try {
    return Date.now() - (await stat(join(dataFolder, 'postmaster.pid'))).mtimeMs
  } catch {
    return 0
  }
}
