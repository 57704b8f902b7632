import { fork } from 'node:child_process'
import { WrongAnswers } from '../run-bench.ts'
import type { LoadOrder, LoadReport } from './load.ts'

/** The load generator's process, which obeys one order at a time. */
export interface LoadProcess {
  /** @throws WrongAnswers when an answer was wrong or did not come. */
  readonly obey: (order: LoadOrder) => Promise<Exclude<LoadReport, { kind: 'failed' }>>
  readonly stop: () => void
}

/** `script` is `load.ts`, compiled. The process ends when this one does: the channel between them closes. */
export function startLoad(script: string): LoadProcess {
  const child = fork(script, { serialization: 'json' })
  return {
    obey: (order) =>
      new Promise((resolve, reject) => {
        const onExit = (): void => reject(new Error('the load generator ended'))
        child.once('exit', onExit)
        child.once('message', (message) => {
          child.off('exit', onExit)
          const report = message as LoadReport
          if (report.kind === 'failed') reject(new WrongAnswers(report.message))
          else resolve(report)
        })
        child.send(order)
      }),
    stop: () => child.disconnect(),
  }
}
