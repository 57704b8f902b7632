import { type ChildProcess, spawn } from 'node:child_process'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { plainDefinitions } from '../services/plain-definitions.ts'

export const repository = fileURLToPath(new URL('../..', import.meta.url))
const bin = join(repository, 'src/featuregraph.js')

export interface Outcome {
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
}

export interface Running {
  readonly child: ChildProcess
  readonly output: { stdout: string; stderr: string }
  readonly ended: Promise<Outcome>
}

/**
 * The command line in a process of its own, with no settings but these, patience for a busy machine's Redis, and the
 * definitions of `schema/` in plain JavaScript.
 */
export function startCommand(
  args: readonly string[],
  settings: Readonly<Record<string, string>>,
  home: string,
): Running {
  const all = { ONLINE_TIMEOUT_MS: '60000', SCHEMA: plainDefinitions(), ...settings }
  const environment = Object.entries(all).map(([name, value]) => [`FEATUREGRAPH_${name}`, value])
  const child = spawn(process.execPath, [bin, ...args], {
    cwd: repository,
    env: { PATH: process.env['PATH'], HOME: home, ...Object.fromEntries(environment) },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const output = { stdout: '', stderr: '' }
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    output.stdout += text
  })
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    output.stderr += text
  })
  const ended = new Promise<Outcome>((resolve, reject) => {
    child.on('error', reject)
    child.on('close', (code) => resolve({ code, ...output }))
  })
  return { child, output, ended }
}
