import type { Worker } from 'node:worker_threads'
import type { Logger } from 'pino'
import { errorCode, NotAvailable, ThreadEnded } from '../../errors.ts'
import type { EndTurn } from '../../graph/work.ts'
import type { FromThread, Measures, ThreadAnswer, ThreadRequest, ToThread } from './thread-messages.ts'

export interface AnswerPoolOptions {
  readonly threads: number
  readonly spawn: () => Worker
  readonly onMeasures: (measures: Measures) => void
  /** For what a thread reads in the place of a lost online store; null: there is no turn now. */
  readonly takeTurn: (payer: string) => EndTurn | null
  readonly log: Logger
}

export interface AnswerPool {
  /**
   * By the thread with the fewest requests; another is started while each has some and there may be more.
   * @throws ThreadEnded where the thread ends before the answer is there; NotAvailable where the thread cannot begin it.
   */
  readonly answer: (request: ThreadRequest, signal: AbortSignal) => Promise<ThreadAnswer>
  /** Ends the threads; nothing may be asked any more. */
  readonly close: () => Promise<void>
}

interface Thread {
  readonly worker: Worker
  readonly waiting: Map<number, Waiting>
  /** That it holds, by its numbers. */
  readonly turns: Map<number, EndTurn>
}

interface Waiting {
  readonly resolve: (answer: ThreadAnswer) => void
  readonly reject: (error: Error) => void
  readonly requestId: string
}

/** Threads that answer whole requests; started by the first request, and replaced by the next after one has ended. */
export function answerPool({
  threads: most,
  spawn,
  onMeasures,
  takeTurn,
  log,
}: AnswerPoolOptions): AnswerPool {
  const threads = new Set<Thread>()
  let lastId = 0
  let isClosing = false

  function start(): Thread {
    const worker = spawn()
    const thread: Thread = { worker, waiting: new Map(), turns: new Map() }
    threads.add(thread)
    let cause: unknown = null
    // Requests keep the process alive, threads do not.
    worker.unref()
    worker.on('message', (message: FromThread) => receive(thread, message))
    worker.on('error', (error) => {
      cause = error
    })
    worker.on('exit', (code) => {
      threads.delete(thread)
      if (!isClosing) log.error({ err: cause, code }, 'a thread that answers large requests has ended')
      for (const { reject } of thread.waiting.values()) reject(ended(cause))
      thread.waiting.clear()
      for (const end of thread.turns.values()) end()
    })
    return thread
  }

  function receive(thread: Thread, message: FromThread): void {
    switch (message.kind) {
      case 'measured':
        onMeasures(message.measures)
        break
      case 'logged':
        logLine(log, message.line)
        break
      case 'turnAsked': {
        const { turn, payer } = message
        const end = takeTurn(payer)
        if (end !== null) thread.turns.set(turn, end)
        tell(thread, { kind: 'turn', turn, isGiven: end !== null })
        break
      }
      case 'turnEnded':
        thread.turns.get(message.turn)?.()
        thread.turns.delete(message.turn)
        break
      case 'answered':
        settle(thread, message.id)?.resolve(message.answer)
        break
      case 'failed':
        refuse(settle(thread, message.id), message.message)
    }
  }

  function refuse(waiting: Waiting | undefined, reason: string): void {
    log.warn({ reason, reqId: waiting?.requestId }, 'a thread could not answer a large request')
    waiting?.reject(
      new NotAvailable('large requests cannot be answered at present; ask for less at once, or later'),
    )
  }

  function settle({ waiting }: Thread, id: number): Waiting | undefined {
    const found = waiting.get(id)
    waiting.delete(id)
    return found
  }

  function idlest(): Thread {
    const [found] = [...threads].sort((one, other) => one.waiting.size - other.waiting.size)
    if (found !== undefined && (found.waiting.size === 0 || threads.size >= most)) return found
    return start()
  }

  return {
    answer(request, signal) {
      const thread = idlest()
      lastId += 1
      const id = lastId
      const gone = (): void => tell(thread, { kind: 'gone', id })
      return new Promise<ThreadAnswer>((resolve, reject) => {
        thread.waiting.set(id, { resolve, reject, requestId: request.requestId })
        tell(thread, { kind: 'answer', id, request })
        signal.addEventListener('abort', gone, { once: true })
        if (signal.aborted) gone()
      }).finally(() => signal.removeEventListener('abort', gone))
    },
    async close() {
      isClosing = true
      await Promise.all([...threads].map(({ worker }) => worker.terminate()))
    },
  }
}

function tell({ worker }: Thread, message: ToThread): void {
  worker.postMessage(message)
}

function ended(cause: unknown): ThreadEnded {
  const why =
    errorCode(cause) === 'ERR_WORKER_OUT_OF_MEMORY' ? 'its memory was not enough' : 'it failed; see the log'
  return new ThreadEnded(
    `the thread that answered the request has ended: ${why}; ask for less at once, or again later`,
    { cause },
  )
}

/** As it would have been logged here. */
function logLine(log: Logger, line: string): void {
  const { level, time: _time, pid: _pid, hostname: _host, msg, ...rest } = JSON.parse(line)
  const name = log.levels.labels[level]
  if (name === 'fatal' || name === 'error' || name === 'warn' || name === 'info') log[name](rest, msg)
  else log.debug(rest, msg)
}
