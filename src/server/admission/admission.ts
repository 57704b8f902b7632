import { Overloaded } from '../../errors.ts'
import { type EndTurn, type WorkClass, workClasses } from '../../graph/work.ts'
import { type FairQueue, fairQueue, halfOf, type QueueBounds } from './fair-queue.ts'

export interface ClassBounds extends QueueBounds {
  /** What has waited longer is refused and never run. */
  readonly waitMs: number
}

export interface AdmissionOptions {
  readonly bounds: Readonly<Record<WorkClass, ClassBounds>>
  /** In milliseconds, from any beginning. */
  readonly now: () => number
}

/** Of one class; all but the first two since the start. */
export interface ClassReport {
  readonly running: number
  readonly waiting: number
  readonly begun: number
  readonly refused: number
  /** Of everything together that was given its turn. */
  readonly waitedSeconds: number
}

export interface Admission {
  /**
   * Answers at once where the work may run now, so that nothing is awaited on the hot path; else when its turn has come.
   * `signal` is asked for only by what waits: it is not run when its caller has gone.
   * @throws Overloaded where as much waits as may; rejects with it where the turn did not come in time.
   */
  readonly enter: (
    workClass: WorkClass,
    caller: string,
    signal?: () => AbortSignal,
  ) => EndTurn | Promise<EndTurn>
  /** A turn that is there now; null: there is none. */
  readonly tryEnter: (workClass: WorkClass, caller: string) => EndTurn | null
  /** For parts of a request that has begun, whose sender is held up meanwhile: waits for as long as it takes. */
  readonly enterPatiently: (workClass: WorkClass, caller: string) => EndTurn | Promise<EndTurn>
  readonly report: (workClass: WorkClass) => ClassReport
}

interface Waiter {
  readonly begin: (end: EndTurn) => void
  readonly refuse: () => void
  readonly caller: string
  readonly since: number
}

interface Class {
  readonly name: WorkClass
  readonly queue: FairQueue<Waiter>
  readonly bounds: ClassBounds
  begun: number
  refused: number
  waitedMs: number
  /** What a turn lasts, the newest counting most: for `retry-after`. */
  turnMs: number
  timer: NodeJS.Timeout | null
}

const newestShare = 0.1
const mostRetrySeconds = 60

const workNames: Readonly<Record<WorkClass, string>> = {
  online: 'online reads',
  catalogue: 'requests of the catalogue',
  large: 'large online reads',
  ingestion: 'pushes and deletions',
  asOf: 'as-of reads',
  training: 'requests of training sets',
}

/** Bounds what runs of each class of work, and serves the callers of each in turn (`fair-queue.ts`). */
export function createAdmission({ bounds, now }: AdmissionOptions): Admission {
  const classes = Object.fromEntries(
    workClasses.map((name) => [name, newClass(name, bounds[name])]),
  ) as Readonly<Record<WorkClass, Class>>

  function turn(one: Class, caller: string): EndTurn {
    const since = now()
    one.begun += 1
    let hasEnded = false
    return () => {
      if (hasEnded) return
      hasEnded = true
      one.turnMs += newestShare * (now() - since - one.turnMs)
      one.queue.leave(caller)
      if (one.queue.size().waiting > 0) serve(one)
    }
  }

  /** Begins all that may run now, and refuses what is past its time. */
  function serve(one: Class): void {
    const at = now()
    for (const late of one.queue.expire(at)) late.refuse()
    for (let next = one.queue.next(at); next !== null; next = one.queue.next(at)) {
      one.waitedMs += at - next.since
      next.begin(turn(one, next.caller))
    }
    const until = one.queue.firstUntil()
    if (one.timer !== null) clearTimeout(one.timer)
    one.timer = until === null ? null : setTimeout(serve, Math.max(1, Math.ceil(until - at)), one)
    one.timer?.unref()
  }

  function refusal(one: Class, why: string): Overloaded {
    one.refused += 1
    const { waiting } = one.queue.size()
    const seconds = Math.ceil(((waiting + 1) * one.turnMs) / one.bounds.running / 1_000)
    return new Overloaded(`${why}; try again later`, Math.min(mostRetrySeconds, Math.max(1, seconds)))
  }

  function wait(one: Class, caller: string, patience: 'PATIENT' | (() => AbortSignal)): Promise<EndTurn> {
    return new Promise((resolve, reject) => {
      const since = now()
      const isPatient = patience === 'PATIENT'
      const signal = isPatient ? null : patience()
      const gone = (): void => {
        one.queue.remove(caller, waiter)
        refuse('the caller went away')
      }
      const refuse = (why: string): void => {
        signal?.removeEventListener('abort', gone)
        reject(refusal(one, why))
      }
      const waiter: Waiter = {
        caller,
        since,
        begin(end) {
          signal?.removeEventListener('abort', gone)
          resolve(end)
        },
        refuse: () =>
          refuse(
            `the request waited ${one.bounds.waitMs} ms for its turn among ${workNames[one.name]} and was not run`,
          ),
      }
      if (!one.queue.wait(caller, waiter, isPatient ? null : since + one.bounds.waitMs)) {
        const most = halfOf(one.bounds.waiting)
        refuse(`too many ${workNames[one.name]} wait for their turn (at most ${most} of one caller)`)
        return
      }
      signal?.addEventListener('abort', gone, { once: true })
      serve(one)
    })
  }

  function tryEnter(workClass: WorkClass, caller: string): EndTurn | null {
    const one = classes[workClass]
    return one.queue.enter(caller) ? turn(one, caller) : null
  }

  return {
    enter: (workClass, caller, signal = never) =>
      tryEnter(workClass, caller) ?? wait(classes[workClass], caller, signal),
    tryEnter,
    enterPatiently: (workClass, caller) =>
      tryEnter(workClass, caller) ?? wait(classes[workClass], caller, 'PATIENT'),
    report(workClass) {
      const { queue, begun, refused, waitedMs } = classes[workClass]
      return { ...queue.size(), begun, refused, waitedSeconds: waitedMs / 1_000 }
    },
  }
}

const never = (): AbortSignal => new AbortController().signal

function newClass(name: WorkClass, bounds: ClassBounds): Class {
  return {
    name,
    queue: fairQueue<Waiter>(bounds),
    bounds,
    begun: 0,
    refused: 0,
    waitedMs: 0,
    turnMs: 0,
    timer: null,
  }
}
