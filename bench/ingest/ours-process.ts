import { fork } from 'node:child_process'
import { once } from 'node:events'
import type { Done, Order, Report } from './ours.ts'

/** Does one piece of work in a process of its own, so that each begins cold and its memory is its own. */
export type Ours = (order: Order) => Promise<Done>

/** `script` is `ours.ts`, compiled. With a folder for profiles each process leaves a .cpuprofile there. */
export function oursBy(script: string, profileFolder: string | null): Ours {
  return async (order) => {
    const profiling =
      profileFolder === null
        ? []
        : [
            '--cpu-prof',
            `--cpu-prof-dir=${profileFolder}`,
            `--cpu-prof-name=${order.kind}-${Date.now()}.cpuprofile`,
          ]
    const child = fork(script, { serialization: 'json', execArgv: profiling })
    const ended = once(child, 'exit')
    const report = await new Promise<Report>((resolve, reject) => {
      child.once('error', reject)
      child.once('exit', (code, signal) => reject(new Error(`${order.kind} ended by ${signal ?? code}`)))
      child.once('message', (message) => resolve(message as Report))
      child.send(order)
    })
    child.disconnect()
    await ended
    if (report.kind === 'FAILED') throw new Error(`${order.kind} failed: ${report.message}`)
    return report.done
  }
}
