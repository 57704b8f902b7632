import { expect } from 'vitest'
import type { Micros } from '../../../src/definitions/timestamp.ts'
import { HistoryExpired } from '../../../src/errors.ts'
import { floorToHop } from '../../../src/windows/hop.ts'
import { between, oneOf, type Random } from '../../faults/random.ts'
import type { RulesEvent, RulesOracle } from './rules-oracle.ts'
import {
  chunkRows,
  day,
  hour,
  logTopicName,
  messageTopic,
  minute,
  type OfferedMessage,
  type OfferedPayment,
  type RowView,
  type RulesAnswers,
  type RulesWorld,
} from './rules-world.ts'

const customers = [1, 2, 3, 4] as const
const allowedAhead: Micros = 10 * minute

interface Question {
  readonly key: number
  readonly asOf: Micros
  readonly knownAt: Micros
  readonly answered: RulesAnswers
}

/** A run of random steps over one world, and what it has to remember beside the oracle. */
export interface RulesRun {
  readonly world: RulesWorld
  readonly oracle: RulesOracle
  readonly random: Random
  readonly start: Micros
  /** Lines that say what was done, to be printed where something is wrong. */
  readonly log: string[]
  /** Ids that were used, to be used again. */
  readonly ids: string[]
  /** Of each partition, by offset. */
  readonly topic: readonly OfferedMessage[][]
  readonly letters: OfferedMessage[]
  logEnd: number
  /** A file whose import ended before its end, with how many of its rows were stored. */
  unfinished: {
    readonly path: string
    readonly topic: string
    readonly rows: readonly OfferedPayment[]
    readonly stored: number
  } | null
  copied: Awaited<ReturnType<RulesWorld['copy']>> | null
  isLost: boolean
  /** Answers of the past, which stay. */
  questions: Question[]
  used: number
}

type Step = (run: RulesRun) => Promise<void>

/** By name, with how often each comes. */
export const steps: Readonly<Record<string, readonly [weight: number, step: Step]>> = {
  deliver: [5, deliver],
  replay: [2, replay],
  post: [4, post],
  import: [3, importRows],
  'import until killed': [2, importUntilKilled],
  'retry dead letters': [2, retry],
  'push profile': [4, (run) => push(run, 'profile')],
  'push hourly': [5, (run) => push(run, 'hourly')],
  'delete customer': [2, deleteCustomer],
  'expire events': [2, expire],
  'rebuild tiles': [1, ({ world }) => world.rebuild()],
  'compute the newest snapshot': [
    3,
    ({ world, oracle, ...run }) => computeTimes({ world, oracle, ...run }, [floorToHop(world.clock(), hour)]),
  ],
  'compute missing snapshots': [2, computeMissing],
  'compute stale snapshots': [4, computeStale],
  'replace pushed rows': [1, replacePushed],
  materialize: [2, ({ world, random }) => world.materialize(oneOf(random, ['profile', 'hourly']))],
  'empty the online store': [1, empty],
  'copy the online store': [3, copy],
  'set the online store back': [2, setBack],
  'evict a row': [1, evict],
  'another leader': [1, async ({ world }) => world.changeLeader()],
  'apply events': [1, ({ world }) => world.follow()],
  'let time pass': [3, letTimePass],
}

function note(run: RulesRun, line: string): void {
  run.log.push(`  ${line}`)
}

/** In hours from the run's start. */
function shown({ start }: RulesRun, at: Micros): string {
  return `${((at - start) / hour).toFixed(6)}h`
}

function offer(run: RulesRun, options: { readonly isPast: boolean }): OfferedPayment {
  const { random, world, ids } = run
  const now = world.clock()
  run.used += 1
  const draw = random()
  // A microsecond of its own, so that no two events are equal in time but by the moment of storing.
  const spread = (from: Micros, to: Micros): Micros => now + Math.floor(from + random() * (to - from))
  let at = spread(-3 * hour, 0)
  if (draw < 0.2) at = spread(-2 * day, 0)
  else if (draw < 0.35) at = spread(-6 * day, -2 * day)
  else if (!options.isPast && draw < 0.45) at = spread(0, allowedAhead)
  else if (!options.isPast && draw < 0.55) at = spread(allowedAhead + minute, 5 * hour)
  const idDraw = random()
  const [first, ...others] = ids
  let id: string | null = `e${run.used}`
  if (idDraw < 0.35 && first !== undefined) id = oneOf(random, [first, ...others])
  else if (idDraw < 0.5) id = null
  if (id !== null && !ids.includes(id)) ids.push(id)
  return { id, key: oneOf(random, customers), at, amount: between(random, -5, 9) }
}

function offers(run: RulesRun, least: number, most: number, options = { isPast: false }): OfferedPayment[] {
  return Array.from({ length: between(run.random, least, most) }, () => offer(run, options))
}

function event(
  offered: OfferedPayment,
  position: Pick<RulesEvent, 'storedAt' | 'topic' | 'partition' | 'offset'>,
): RulesEvent {
  const { id, key, at, amount } = offered
  return { id, key, at, amount, ...position }
}

function noteEvents(run: RulesRun, offered: readonly OfferedPayment[], outcomes: readonly unknown[]): void {
  for (const [index, { id, key, at, amount }] of offered.entries())
    note(run, `${id} of ${key} at ${shown(run, at)}, ${amount}: ${String(outcomes[index])}`)
}

/** Messages behind those of their partitions, or from before them again. */
async function deliverMessages(
  run: RulesRun,
  messages: readonly OfferedMessage[],
  known: ReadonlySet<OfferedMessage>,
): Promise<void> {
  const { world, oracle } = run
  const storedAt = world.clock()
  const outcomes = await world.deliver(messages)
  const isAhead = ({ at }: OfferedMessage): boolean => at > storedAt + allowedAhead
  // In the order in which the store takes them: events, then dead letters.
  const events = messages.filter((message) => !isAhead(message))
  const expected = events.map((message) => {
    if (known.has(message)) return 'PROCESSED'
    const { partition, offset } = message
    return oracle.accept(event(message, { storedAt, topic: messageTopic, partition, offset }))
  })
  noteEvents(run, events, expected)
  expect(outcomes.events, 'outcomes of messages').toEqual(expected)
  const ahead = messages.filter(isAhead)
  const letters = ahead.map((message) => {
    if (known.has(message)) return 'PROCESSED'
    if (oracle.isDeleted(message)) return 'DELETED'
    run.letters.push(message)
    return 'DEAD_LETTERED'
  })
  noteEvents(run, ahead, letters)
  expect(outcomes.deadLetters, 'outcomes of dead letters').toEqual(letters)
}

async function deliver(run: RulesRun): Promise<void> {
  const messages = offers(run, 1, 4).map((offered): OfferedMessage => {
    const partition = between(run.random, 0, run.topic.length - 1)
    const own = run.topic[partition] ?? []
    const message = { ...offered, partition, offset: own.length }
    own.push(message)
    return message
  })
  await deliverMessages(run, messages, new Set())
}

/** A consumer that was set back brings messages again, and new ones behind them. */
async function replay(run: RulesRun): Promise<void> {
  const partition = between(run.random, 0, run.topic.length - 1)
  const own = run.topic[partition] ?? []
  const old = own.slice(Math.max(0, own.length - between(run.random, 1, 6)))
  const added = offers(run, 0, 2).map((offered, index) => ({
    ...offered,
    partition,
    offset: own.length + index,
  }))
  own.push(...added)
  if (old.length + added.length > 0) await deliverMessages(run, [...old, ...added], new Set(old))
}

async function post(run: RulesRun): Promise<void> {
  const { world, oracle } = run
  const offered = offers(run, 1, 3)
  const storedAt = world.clock()
  const outcomes = await world.post(offered)
  const expected = offered.map((one) => {
    if (one.at > storedAt + allowedAhead) return oracle.isDeleted(one) ? 'ENTITY_DELETED' : 'EVENT_FROM_AHEAD'
    const outcome = oracle.accept(
      event(one, { storedAt, topic: logTopicName, partition: 0, offset: run.logEnd }),
    )
    run.logEnd += 1
    return outcome === 'DELETED' ? 'ENTITY_DELETED' : outcome
  })
  noteEvents(run, offered, expected)
  expect(
    outcomes.map((outcome) => (outcome.accepted ? (outcome.repeated ? 'REPEATED' : 'STORED') : outcome.code)),
    'outcomes of posted events',
  ).toEqual(expected)
}

/** Rows of a file, some known from when they happened, some from later on. */
function fileRows(run: RulesRun, least: number, most: number): OfferedPayment[] {
  const now = run.world.clock()
  return offers(run, least, most, { isPast: true }).map((one) => ({
    ...one,
    loaded: run.random() < 0.5 ? null : one.at + Math.floor(run.random() * (now - one.at)),
  }))
}

function acceptRows(run: RulesRun, topic: string, rows: readonly OfferedPayment[], from: number): void {
  const outcomes = rows.map((one, index) => {
    const storedAt = one.loaded ?? one.at
    const outcome = run.oracle.accept(event(one, { storedAt, topic, partition: 0, offset: from + index }))
    // It is known in the past too.
    if (outcome === 'STORED')
      run.questions = run.questions.filter(({ key, knownAt }) => key !== one.key || knownAt < storedAt)
    return outcome
  })
  noteEvents(run, rows, outcomes)
}

async function importRows(run: RulesRun): Promise<void> {
  const { world, unfinished } = run
  if (unfinished !== null && run.random() < 0.6) {
    note(run, `goes on behind row ${unfinished.stored}`)
    run.unfinished = null
    await world.importFile(unfinished.path, null)
    acceptRows(run, unfinished.topic, unfinished.rows.slice(unfinished.stored), unfinished.stored)
    return
  }
  const rows = fileRows(run, 1, 6)
  const { path, topic } = await world.file(rows)
  await world.importFile(path, null)
  acceptRows(run, topic, rows, 0)
  if (run.random() < 0.2) {
    note(run, 'and the same file again')
    expect(await world.importFile(path, null)).toMatchObject([{ status: 'ALREADY_IMPORTED' }])
  }
}

async function importUntilKilled(run: RulesRun): Promise<void> {
  if (run.unfinished !== null) return
  const rows = fileRows(run, 2 * chunkRows, 4 * chunkRows)
  const { path, topic } = await run.world.file(rows)
  const chunks = between(run.random, 1, 2)
  const stored = chunks * chunkRows
  expect(await run.world.importFile(path, chunks), 'the import ends').toBe(null)
  run.unfinished = { path, topic, rows, stored }
  acceptRows(run, topic, rows.slice(0, stored), 0)
}

/** Newest first, those whose time has come. */
async function retry(run: RulesRun): Promise<void> {
  const { world, oracle } = run
  const storedAt = world.clock()
  const due = run.letters.filter(({ at }) => at <= storedAt + allowedAhead)
  const outcomes = due.map((letter) => {
    run.letters.splice(run.letters.indexOf(letter), 1)
    run.logEnd += 1
    return oracle.accept(
      event(letter, { storedAt, topic: logTopicName, partition: 0, offset: run.logEnd - 1 }),
    )
  })
  noteEvents(run, due, outcomes)
  const { accepted, dropped } = await world.retry()
  const stored = outcomes.filter((outcome) => outcome === 'STORED').length
  expect({ accepted, dropped }, 'retried dead letters').toEqual({
    accepted: stored,
    dropped: due.length - stored,
  })
}

async function push(run: RulesRun, view: RowView): Promise<void> {
  const { world, oracle, random, start } = run
  const now = world.clock()
  const rows = Array.from({ length: between(random, 1, 2) }, () => {
    const at =
      view === 'profile'
        ? now + Math.floor((random() * 50 - 48) * hour)
        : Math.max(floorToHop(start, hour), floorToHop(now - Math.floor(random() ** 2 * 12 * hour), hour))
    const values = world.views[view].features.map(() => between(random, 100, 999))
    return { key: oneOf(random, customers), at, values }
  })
  // Of one push a key is written once: with its newest row.
  const apart = rows.filter(({ key }, index) => rows.findIndex((other) => other.key === key) === index)
  const outcomes = await world.push(view, apart)
  const expected = apart.map((row) => oracle.push(view, { ...row, created: now }))
  for (const [index, { key, at, values }] of apart.entries())
    note(run, `${view} of ${key} at ${shown(run, at)}, ${values}: ${expected[index]}`)
  expect(
    outcomes.map((outcome) => (outcome.accepted ? outcome.online : outcome.code)),
    `outcomes of rows pushed to ${view}`,
  ).toEqual(expected.map((outcome) => (outcome === 'DELETED' ? 'ENTITY_DELETED' : outcome)))
}

async function deleteCustomer(run: RulesRun): Promise<void> {
  const key = oneOf(run.random, customers)
  const deletedAt = await run.world.delete(key)
  note(run, `${key} up to ${shown(run, deletedAt)}`)
  expect(deletedAt, 'the moment of the deletion').toBe(run.world.clock())
  run.oracle.delete(key, deletedAt)
  for (const letter of run.letters.filter((one) => one.key === key))
    run.letters.splice(run.letters.indexOf(letter), 1)
  run.questions = run.questions.filter((one) => one.key !== key)
}

/** From time to time once the month before the run's start is past its retention. */
async function expire(run: RulesRun): Promise<void> {
  const monthsEnd = run.start - (run.start % day) - day
  const ahead = monthsEnd + 3 * day + minute - run.world.clock()
  if (ahead > 0 && run.random() < 0.6) await run.world.advance(ahead)
  const since = await run.world.expire()
  if (since === null) return
  note(run, `events are stored since ${shown(run, since)}`)
  expect(since, 'only what is past its retention is dropped').toBeLessThanOrEqual(run.world.clock() - 3 * day)
  if (run.oracle.expire(since)) run.questions = []
}

async function computeTimes(run: RulesRun, times: readonly Micros[]): Promise<void> {
  const { world, oracle } = run
  note(run, `at ${times.map((time) => shown(run, time)).join(', ')}`)
  const computing = world.compute({ kind: 'TIMES', times })
  if (times.some((time) => time < oracle.firstSnapshot()))
    return await expect(computing).rejects.toThrow(HistoryExpired)
  await computing
  oracle.compute(times, world.clock(), () => false)
}

async function computeMissing(run: RulesRun): Promise<void> {
  const { world, oracle, random, start } = run
  const last = floorToHop(world.clock(), hour)
  const recorded = oracle.snapshots()
  const from = Math.max(floorToHop(start, hour), last - between(random, 1, 8) * hour)
  const times = Array.from({ length: (last - from) / hour + 1 }, (_, index) => from + index * hour)
  const missing = times.filter((time) => !recorded.includes(time))
  if (missing.length > 0) await computeTimes(run, missing)
}

async function computeStale({ world, oracle }: RulesRun): Promise<void> {
  const { times } = await world.compute({ kind: 'STALE', since: null })
  oracle.computeStale(times, world.clock())
}

async function replacePushed(run: RulesRun): Promise<void> {
  const { world, oracle, random } = run
  const key = random() < 0.5 ? oneOf(random, customers) : null
  const times = await world.overridden(key)
  const sorted = [...times].sort((left, right) => left - right)
  note(run, `of ${key ?? 'all'} at ${sorted.map((time) => shown(run, time)).join(', ')}`)
  expect([...new Set(sorted)], 'where pushed rows stand').toEqual(
    [...oracle.overridden(key)].sort((left, right) => left - right),
  )
  if (times.length === 0) return
  const computing = world.compute(
    { kind: 'TIMES', times },
    { replacePushed: { key: key === null ? null : [key] } },
  )
  if (times.some((time) => time < oracle.firstSnapshot()))
    return await expect(computing).rejects.toThrow(HistoryExpired)
  await computing
  oracle.compute(times, world.clock(), (one) => key === null || one === key)
}

async function empty(run: RulesRun): Promise<void> {
  await run.world.empty()
  run.isLost = true
  expect(await run.world.refusal(), 'an online store that was emptied').not.toBe(null)
}

async function copy(run: RulesRun): Promise<void> {
  if (run.isLost) return
  run.copied = await run.world.copy()
  // The guard moves on: what is lost within one tick, over connections that last, is not seen (a proxy would have hidden it).
  await run.world.settle()
}

async function setBack(run: RulesRun): Promise<void> {
  if (run.copied === null) return
  await run.world.setBack(run.copied)
  run.isLost = true
}

/** No guard sees it: the views are compared and repaired. */
async function evict(run: RulesRun): Promise<void> {
  if (run.isLost) return
  const view = oneOf(run.random, ['profile', 'hourly'] as const)
  await run.world.evict(view, oneOf(run.random, customers))
  await run.world.verify(view)
}

async function letTimePass(run: RulesRun): Promise<void> {
  const micros = Math.floor(run.random() * oneOf(run.random, [10 * minute, 2 * hour, 5 * hour, 30 * hour]))
  await run.world.advance(micros)
  note(run, `now ${shown(run, run.world.clock())}`)
}

/** Applies what was accepted, and compares both clocks with the oracle, and answers of the past with what they were. */
export async function compareAll(run: RulesRun): Promise<void> {
  const { world, oracle, random, start } = run
  // Nothing that was stored at this very moment counts at it yet.
  await world.advance(1_000_000)
  await world.settle()
  run.isLost = false
  for (const view of ['profile', 'hourly'] as const) await world.materialize(view)
  await world.follow()
  const now = world.clock()
  for (const key of customers) {
    const expected = oracle.answers(key, now)
    expectEach(allowed(await world.online(key), expected), expected, `of customer ${key} online`)
  }
  const asked = [
    ...customers.map((key) => ({ key, asOf: now, knownAt: null })),
    ...customers.map((key) => ({ key, asOf: now, knownAt: now })),
    ...Array.from({ length: 6 }, () => {
      const asOf = start + Math.floor(random() * (now - start))
      const knownAt = random() < 0.3 ? null : asOf + Math.floor(random() * (now - asOf))
      return { key: oneOf(random, customers), asOf, knownAt }
    }),
  ]
  const answered = await world.asOf(asked)
  for (const [index, { key, asOf, knownAt }] of asked.entries()) {
    const known = knownAt === null ? 'whatever is known' : `known at ${shown(run, knownAt)}`
    const expected = oracle.answers(key, asOf, knownAt ?? undefined)
    expectEach(answered[index], expected, `of customer ${key} as of ${shown(run, asOf)}, ${known}`)
  }
  const again = await world.asOf(run.questions)
  for (const [index, { key, asOf, knownAt, answered: before }] of run.questions.entries()) {
    const what = `of customer ${key} as of ${shown(run, asOf)}, known at ${shown(run, knownAt)}`
    expectEach(again[index], before, `${what}, as it was answered before`)
  }
  asked.forEach(({ key, asOf, knownAt }, index) => {
    const one = answered[index]
    if (one && knownAt !== null && random() < 0.3) run.questions.push({ key, asOf, knownAt, answered: one })
  })
  run.questions = run.questions.slice(-20)
}

function expectEach(answers: RulesAnswers | undefined, expected: RulesAnswers, what: string): void {
  for (const view of ['profile', 'hourly', 'recent'] as const) {
    const { status, values } = expected[view]
    const answer = answers?.[view]
    expect([answer?.status, ...(answer?.values ?? [])].join(' '), `${view} ${what}`).toBe(
      [status, ...values].join(' '),
    )
  }
}

/**
 * The difference that is allowed: a row past its ttl that the online store has expired is not found there. Here the other
 * way round too: the test's time is ahead of Redis' own, which still has rows that a closing one need not replace any more.
 */
function allowed(online: RulesAnswers, expected: RulesAnswers): RulesAnswers {
  const of = (view: RowView) => {
    const statuses = [online[view].status, expected[view].status].sort().join(' ')
    return statuses === 'NOT_FOUND OUTSIDE_TTL' ? expected[view] : online[view]
  }
  return { ...online, profile: of('profile'), hourly: of('hourly') }
}
