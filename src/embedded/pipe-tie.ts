import { spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import type { Account } from './place.ts'

/** A child process that ends with us, however we end. */
export interface TiedProcess {
  /** The program's own pid, not the wrapper's. */
  readonly pid: number
  /** Resolves with the exit code once it is gone; 128 + n after signal n. Never rejects. */
  readonly exited: Promise<number>
  /**
   * Lets go of the pipe: the program gets SIGINT, as it does when this process dies, and again each second until it is
   * gone. Wait for `exited` after it.
   */
  readonly release: () => void
  /** From here on the child does not keep this process's event loop alive. */
  readonly unref: () => void
}

/** How a tied program is started: its environment is exactly `env`, its output goes to the file `outputFd`. */
export interface TieOptions {
  readonly cwd: string
  readonly env: Readonly<Record<string, string>>
  readonly account: Account | undefined
  readonly outputFd: number
}

/**
 * The wrapper starts the program and says its pid; beside it a reader waits for the end of the pipe on standard input,
 * which the system closes when we die, even by SIGKILL, and then sends SIGINT: to Postgres a fast shutdown. It sends it
 * again each second, since a program in the background ignores the signal until it has set its own handler.
 * File descriptor 3 is that pipe, since the shell gives programs in the background /dev/null as standard input.
 */
const wrapper = `
exec 3<&0 </dev/null
"$@" >&2 3<&- &
program=$!
echo "$program"
exec >/dev/null
{ read -r line <&3; while kill -INT "$program"; do sleep 1; done; } 2>/dev/null &
reader=$!
exec 3<&-
wait "$program"
code=$?
kill "$reader" 2>/dev/null
wait "$reader" 2>/dev/null
exit "$code"
`

/**
 * Starts a program tied to this process by a pipe. It runs in a session of its own, so that a Ctrl-C in the terminal
 * reaches us and not it: we stop it when our requests are drained.
 * Rejects when the wrapper itself cannot be started.
 */
export async function spawnTied(
  program: string,
  args: readonly string[],
  options: TieOptions,
): Promise<TiedProcess> {
  const child = spawn('/bin/sh', ['-c', wrapper, 'featuregraph-pipe-tie', program, ...args], {
    cwd: options.cwd,
    env: options.env,
    ...options.account,
    detached: true,
    stdio: ['pipe', 'pipe', options.outputFd],
  })
  const exited = new Promise<number>((resolve) => {
    child.once('exit', (code, signal) => resolve(code ?? (signal === null ? 1 : 128)))
    child.once('error', () => resolve(127))
  })
  const { stdin, stdout } = child
  if (stdin === null || stdout === null) throw new Error('no pipes to /bin/sh, though they were asked for')
  // A pipe that breaks because the wrapper has ended says nothing that `exited` does not.
  stdin.on('error', () => {})
  stdout.on('error', () => {})
  const started = new Promise<number>((resolve, reject) => {
    child.once('error', reject)
    const lines = createInterface({ input: stdout })
    lines.once('line', (line) => resolve(Number(line)))
    lines.once('close', () => reject(new Error(`the wrapper of ${program} ended before it had started it`)))
  })
  const pid = await started
  return {
    pid,
    exited,
    release: () => {
      child.ref()
      stdin.end()
    },
    unref: () => {
      child.unref()
      // Pipes to a child are sockets, which TypeScript's type for a writable stream does not say.
      if ('unref' in stdin && typeof stdin.unref === 'function') stdin.unref()
    },
  }
}
