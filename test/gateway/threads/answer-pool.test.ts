import { Worker } from 'node:worker_threads'
import { pino } from 'pino'
import { afterEach, expect, it } from 'vitest'
import { NotAvailable, ThreadEnded } from '../../../src/errors.ts'
import { type AnswerPool, answerPool } from '../../../src/gateway/threads/answer-pool.ts'
import type { Measures, ThreadRequest } from '../../../src/gateway/threads/thread-messages.ts'

/** A thread that does what the query says: its answer is the id of the thread. */
const program = `
const { parentPort, threadId } = require('node:worker_threads')
parentPort.on('message', ({ kind, id, request }) => {
  const answered = (text) => {
    const body = new TextEncoder().encode(text)
    parentPort.postMessage({ kind: 'answered', id, answer: { status: 200, body, deeds: [] } }, [body.buffer])
  }
  if (kind === 'gone') answered('gone')
  else if (request.query === 'answer') answered(String(threadId))
  else if (request.query === 'refuse') parentPort.postMessage({ kind: 'failed', id, message: 'secret host' })
  else if (request.query === 'exit') process.exit(1)
  else if (request.query === 'grow') for (const all = []; ; ) all.push(new Array(100_000).fill(all.length + 0.5))
})`

let pool: AnswerPool | null = null
afterEach(async () => await pool?.close())

const lines: string[] = []

function open(threads: number): AnswerPool {
  const log = pino({ level: 'trace' }, { write: (line: string) => lines.push(line) })
  pool = answerPool({
    threads,
    spawn: () => new Worker(program, { eval: true, resourceLimits: { maxOldGenerationSizeMb: 32 } }),
    onMeasures: (_measures: Measures) => {},
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
