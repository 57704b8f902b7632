import { Worker } from 'node:worker_threads'
import { pino } from 'pino'
import { afterEach, expect, it } from 'vitest'
import { NotAvailable, ThreadEnded } from '../../../src/errors.ts'
import { type AnswerPool, answerPool } from '../../../src/gateway/threads/answer-pool.ts'
import type { Measures, ThreadRequest } from '../../../src/gateway/threads/thread-messages.ts'

/** A thread that does what the query says: its answer is the id of the thread. */
const program = `
const { parentPort, threadId } = require('node:worker_threads')
let lastId = 0
parentPort.on('message', ({ kind, id, request, isGiven }) => {
  const answered = (text, to = id) => {
    const body = new TextEncoder().encode(text)
    parentPort.postMessage({ kind: 'answered', id: to, answer: { status: 200, body, deeds: [] } }, [body.buffer])
  }
  lastId = id ?? lastId
  if (kind === 'turn') answered(isGiven ? 'given' : 'refused', lastId)
  else if (kind === 'gone') answered('gone')
  else if (request.query === 'take a turn') parentPort.postMessage({ kind: 'turnAsked', turn: 1, payer: request.payer })
  else if (request.query === 'end it') {
    parentPort.postMessage({ kind: 'turnEnded', turn: 1 })
    answered('ended')
  }
  else if (request.query === 'answer') answered(String(threadId))
  else if (request.query === 'refuse') parentPort.postMessage({ kind: 'failed', id, message: 'secret host' })
  else if (request.query === 'exit') process.exit(1)
  else if (request.query === 'grow') for (const all = []; ; ) all.push(new Array(100_000).fill(all.length + 0.5))
})`

let pool: AnswerPool | null = null
afterEach(async () => await pool?.close())

const lines: string[] = []
/** Payers of the one turn that there is. */
const turns: string[] = []

function open(threads: number): AnswerPool {
  const log = pino({ level: 'trace' }, { write: (line: string) => lines.push(line) })
  pool = answerPool({
    threads,
    spawn: () => new Worker(program, { eval: true, resourceLimits: { maxOldGenerationSizeMb: 32 } }),
    onMeasures: (_measures: Measures) => {},
    takeTurn(payer) {
      if (turns.length > 0) return null
      turns.push(payer)
      return () => turns.pop()
    },
    log,
  })
  return pool
}

function request(query: string): ThreadRequest {
  return {
    ...{ query, operationName: null, variables: {}, version: 1, requestId: 'r1', now: 0, offlineUrl: '' },
    caller: { name: 'n', rights: ['read'] },
    payer: 'key n',
  }
}

const unending = new AbortController().signal
const ask = async (of: AnswerPool, query: string, signal = unending): Promise<string> =>
  new TextDecoder().decode((await of.answer(request(query), signal)).body)

it('starts as many threads as there are requests at once, at most its number, and keeps them', async () => {
  const two = open(2)
  const waiting = [new AbortController(), new AbortController(), new AbortController()]
  const held = waiting.map(({ signal }) => ask(two, 'wait', signal))
  for (const one of waiting) one.abort()
  expect(await Promise.all(held)).toEqual(['gone', 'gone', 'gone'])
  const ids = new Set<string>()
  for (let n = 0; n < 5; n += 1) ids.add(await ask(two, 'answer'))
  expect(ids.size).toBeLessThanOrEqual(2)
})

it('fails the requests of a thread that ends, says why, and answers the next by a new one', async () => {
  const one = open(1)
  const first = await ask(one, 'answer')
  const outcomes = await Promise.allSettled([ask(one, 'wait'), ask(one, 'exit')])
  expect(outcomes.map(({ status }) => status)).toEqual(['rejected', 'rejected'])
  for (const outcome of outcomes)
    if (outcome.status === 'rejected') expect(outcome.reason).toBeInstanceOf(ThreadEnded)
  expect(await ask(one, 'answer')).not.toBe(first)
  await expect(ask(one, 'grow')).rejects.toThrow('its memory was not enough')
  expect(await ask(one, 'answer')).not.toBe(first)
})

it('shows nothing of why a thread could not answer, which is logged', async () => {
  const failure = await ask(open(1), 'refuse').catch((error: unknown) => error)
  expect(failure).toBeInstanceOf(NotAvailable)
  expect(String(failure)).not.toContain('secret')
  expect(lines.join('')).toContain('secret host')
})

it('gives the threads turns of one bound, and has those back of a thread that has ended', async () => {
  const two = open(2)
  const [holds, other] = [new AbortController(), new AbortController()]
  // One request each, so that both threads are there.
  const held = [ask(two, 'wait', holds.signal), ask(two, 'wait', other.signal)]
  expect(await ask(two, 'take a turn')).toBe('given')
  expect(turns).toEqual(['key n'])
  expect(await ask(two, 'take a turn')).toBe('refused')
  expect(await ask(two, 'end it')).toBe('ended')
  expect(turns).toEqual([])
  expect(await ask(two, 'take a turn')).toBe('given')
  await expect(ask(two, 'exit')).rejects.toBeInstanceOf(ThreadEnded)
  expect(turns).toEqual([])
  holds.abort()
  other.abort()
  await Promise.allSettled(held)
})
