import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { z } from 'zod'

const outcome = z.object({ url: z.string(), joined: z.boolean(), logged: z.array(z.string()) })

export interface GatewayProcess {
  readonly child: ChildProcess
  /** Rejects with what the process said on standard error when it could not start Postgres. */
  readonly started: Promise<z.infer<typeof outcome>>
  /** Ends it in order; resolves when it is gone, with its exit code. */
  readonly end: () => Promise<number | null>
  /** SIGKILL; resolves when it is gone. */
  readonly kill: () => Promise<void>
}

/** Runs `start-and-wait.ts` in a process and process group of its own. */
export function gatewayProcess(
  folder: string,
  account?: { readonly uid: number; readonly gid: number },
): GatewayProcess {
  const script = fileURLToPath(new URL('start-and-wait.ts', import.meta.url))
  const child = spawn(process.execPath, ['--import', 'tsx', script, folder], {
    cwd: fileURLToPath(new URL('../..', import.meta.url)),
    stdio: ['pipe', 'pipe', 'pipe'],
    detached: true,
    ...account,
  })
  const gone = once(child, 'exit')
  let complaint = ''
  child.stderr.on('data', (chunk: Buffer) => {
    complaint += chunk.toString()
  })
  const started = new Promise<z.infer<typeof outcome>>((resolve, reject) => {
    createInterface({ input: child.stdout }).once('line', (line) => resolve(outcome.parse(JSON.parse(line))))
    child.once('close', () => reject(new Error(`no Postgres: ${complaint}`)))
  })
  // A caller that does not wait for the start does not want to hear of its failure.
  started.catch(() => {})
  return {
    child,
    started,
    end: async () => {
      child.stdin.end()
      await gone
      return child.exitCode
    },
    kill: async () => {
      child.kill('SIGKILL')
      await gone
    },
  }
}
