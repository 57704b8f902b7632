import { Gauge, type Registry } from 'prom-client'
import { workClasses } from '../graph/work.ts'
import type { Admission, ClassReport } from './admission/admission.ts'

const metrics: Readonly<Record<keyof ClassReport, readonly [name: string, help: string]>> = {
  running: ['work_running', 'Requests that run now, by class of work'],
  waiting: ['work_waiting', 'Requests that wait for their turn now, by class of work'],
  begun: ['work_total', 'Requests that were given their turn, by class of work'],
  refused: ['work_refused_total', 'Requests that were refused as OVERLOADED, by class of work'],
  waitedSeconds: [
    'work_waited_seconds_total',
    'Seconds that requests waited for their turn, by class of work',
  ],
}

/** Read from the admission's own numbers when asked for. */
export function workMetrics(register: Registry): (admission: Pick<Admission, 'report'>) => void {
  let report: Admission['report'] | null = null
  for (const [field, [name, help]] of Object.entries(metrics)) {
    new Gauge({
      name: `featuregraph_${name}`,
      help,
      labelNames: ['class'],
      registers: [register],
      collect() {
        if (report === null) return
        for (const workClass of workClasses)
          this.set({ class: workClass }, report(workClass)[field as keyof ClassReport])
      },
    })
  }
  return (admission) => {
    report = admission.report
  }
}
