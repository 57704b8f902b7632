import { spawn } from 'node:child_process'
import { StoreFailed } from '../errors.ts'
import type { ApartWork } from '../gateway/run-guard.ts'

const shownOfErrors = 2_000

/** Work of the online store's guard as commands of this program, with the settings of this process. */
export const apartWork: ApartWork = {
  materialize: (view, signal) => runCommand(['materialize', view.name], signal),
  followTiles: (signal) => runCommand(['stream', '--once'], signal),
}

/** Resolves when the command has succeeded. @throws StoreFailed with what it said where it fails. */
async function runCommand(args: readonly string[], signal: AbortSignal): Promise<void> {
  const [, program = ''] = process.argv
  const child = spawn(process.execPath, [...process.execArgv, program, ...args], {
    stdio: ['ignore', 'ignore', 'pipe'],
    signal,
  })
  let errors = ''
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    errors = (errors + text).slice(-shownOfErrors)
  })
  await new Promise<void>((resolve, reject) => {
    child.on('error', (cause) => reject(new StoreFailed(`${args.join(' ')} did not run`, { cause })))
    child.on('close', (code) => {
      if (code === 0) resolve()
      else reject(new StoreFailed(`${args.join(' ')} failed: ${errors.trim() || `exit code ${code}`}`))
    })
  })
}
