import type { Logger } from 'pino'
import type { Config } from '../config/config.ts'
import { mostInMainThread } from '../graph/work.ts'
import type { WorkGate } from '../graph/work-gate.ts'
import type { ServedVersion } from '../registry/versions/served-version.ts'
import { type Admission, createAdmission } from '../server/admission/admission.ts'
import { classBounds } from '../server/admission/class-bounds.ts'
import { callerRates, type Rates } from '../server/admission/rates.ts'
import type { Metrics } from '../server/metrics.ts'
import { type CountedInstead, offlineInstead } from './offline-instead.ts'
import type { Stores } from './open-stores.ts'
import { answerPool } from './threads/answer-pool.ts'
import { haveHelpersGiveWay } from './threads/main-thread-first.ts'
import { spawnThread } from './threads/spawn-thread.ts'
import { countMeasures } from './threads/thread-measures.ts'

export interface WorkGates {
  readonly admission: Admission
  readonly rates: Rates
  readonly instead: CountedInstead
  readonly gate: (served: ServedVersion) => WorkGate
  /** That a request may read of stored rows in the main thread. */
  readonly maxReadBytes: number
  readonly close: () => Promise<void>
}

/** What lets a gateway's requests run, and the threads for those that are large. */
export function openWorkGates(
  config: Config,
  { stores, metrics, log }: { readonly stores: Stores; readonly metrics: Metrics; readonly log: Logger },
): WorkGates {
  const now = (): number => performance.now()
  const admission = createAdmission({ bounds: classBounds(config, config.answerThreads), now })
  metrics.watchWork(admission)
  const rates = callerRates({ ...config, now })
  const instead = offlineInstead(config, (payer) => admission.tryEnter('asOf', payer))
  const pool = answerPool({
    threads: config.answerThreads,
    // Callers and their keys are of the main thread.
    spawn: () => spawnThread({ config: { ...config, offlineUrl: stores.offlineUrl(), apiKeys: null } }),
    onMeasures: (measures) => countMeasures(metrics, measures),
    takeTurn: instead.takeTurn,
    log,
  })
  const hasThreads = config.answerThreads > 0
  if (hasThreads) haveHelpersGiveWay()
  return {
    admission,
    rates,
    instead,
    close: pool.close,
    maxReadBytes: hasThreads
      ? Math.min(mostInMainThread.bytes, config.maxAnswerBytes)
      : config.maxAnswerBytes,
    gate: ({ version }) => ({
      enter({ workClass, entities }, { payer, signal }) {
        rates.entities(payer, entities)
        return admission.enter(workClass, payer, signal)
      },
      enterAgain: (workClass, { payer, signal }) => admission.enter(workClass, payer, signal),
      apart: hasThreads
        ? {
            maxReadBytes: config.maxAnswerBytes,
            async answer(request, { requestId, caller: { name, rights }, payer, now: at, signal, audit }) {
              const { deeds, ...answer } = await pool.answer(
                {
                  ...request,
                  ...{ version, requestId, payer, now: at, offlineUrl: stores.offlineUrl() },
                  caller: { name, rights: [...rights] },
                },
                signal(),
              )
              for (const deed of deeds) audit(deed)
              return answer
            },
          }
        : null,
    }),
  }
}
