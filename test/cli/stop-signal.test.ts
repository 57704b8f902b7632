import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { waitUntil } from '../services/wait-until.ts'
import { repository } from './start-command.ts'

let folder: string
let program: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'featuregraph-stop-'))
  program = join(folder, 'program.mjs')
  await writeFile(
    program,
    `import { onStop } from ${JSON.stringify(pathToFileURL(join(repository, 'src/cli/stop-signal.ts')).href)}
     onStop((reason) => console.log('stopping: ' + reason))
     setInterval(() => console.log('tick ' + process.pid), 50)`,
  )
})
afterAll(async () => await rm(folder, { recursive: true, force: true }))

interface Started {
  readonly outer: ChildProcess
  readonly output: () => string
  /** The program's own process, once it runs. */
  readonly pid: () => Promise<number>
  readonly ticks: () => number
  readonly closed: Promise<void>
}

/** A shell as npm would be, in it the shell of a script, in it the program. */
function startInShells(environment: Readonly<Record<string, string>>): Started {
  const tsx = pathToFileURL(join(repository, 'node_modules/tsx/dist/esm/index.mjs')).href
  const inner = `'${process.execPath}' --import '${tsx}' '${program}'; true`
  const outer = spawn('/bin/sh', ['-c', `/bin/sh -c "${inner}"; true`], {
    env: { PATH: process.env['PATH'], ...environment },
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  let text = ''
  outer.stdout.setEncoding('utf8').on('data', (chunk: string) => {
    text += chunk
  })
  const closed = new Promise<void>((resolve) => outer.stdout.once('close', resolve))
  const pidIn = (): number => Number(/tick (\d+)/.exec(text)?.[1] ?? 0)
  return {
    outer,
    closed,
    output: () => text,
    ticks: () => text.split('tick').length - 1,
    async pid() {
      await waitUntil(() => pidIn() > 0, 'the program runs')
      return pidIn()
    },
  }
}

describe('a process that runs until it is stopped', () => {
  it.skipIf(process.platform !== 'linux')(
    'stops when the npm that started it is killed, though the shell between them stays (by /proc: Linux only)',
    async () => {
      const started = startInShells({ npm_execpath: '/usr/lib/npm-cli.js' })
      const pid = await started.pid()
      started.outer.kill('SIGKILL')
      await waitUntil(() => started.output().includes('stopping'), started.output)
      expect(started.output()).toContain('stopping: the process that started this one has ended\n')
      process.kill(pid, 'SIGKILL')
      await started.closed
    },
  )

  it('outlives whatever else started it, as a daemon does', async () => {
    const started = startInShells({})
    const pid = await started.pid()
    started.outer.kill('SIGKILL')
    // Twice as long as the starter is looked for.
    const until = started.ticks() + 20
    await waitUntil(() => started.ticks() > until, started.output)
    expect(started.output()).not.toContain('stopping')
    process.kill(pid, 'SIGKILL')
    await started.closed
  })

  it('takes signals that come together for one, as Ctrl-C under npm is, and ends at once at a later one', async () => {
    const started = startInShells({})
    const pid = await started.pid()
    process.kill(pid, 'SIGTERM')
    await waitUntil(() => started.output().includes('stopping: SIGTERM\n'), started.output)
    process.kill(pid, 'SIGINT')
    const until = started.ticks() + 20
    await waitUntil(() => started.ticks() > until, started.output)
    expect(started.output().split('stopping')).toHaveLength(2)
    process.kill(pid, 'SIGTERM')
    await started.closed
  })
})
