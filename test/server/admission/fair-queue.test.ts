import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { fairQueue, halfOf } from '../../../src/server/admission/fair-queue.ts'

interface Item {
  readonly caller: string
  readonly place: number
  readonly until: number | null
}

const callers = ['a', 'b', 'c', 'd', 'e'] as const

const step = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({
      kind: fc.constant('ask' as const),
      caller: fc.constantFrom(...callers),
      waitFor: fc.option(fc.nat(20)),
    }),
  },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('end' as const), index: fc.nat() }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('pass' as const), time: fc.nat(15) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('leave' as const), index: fc.nat() }) },
)

const scenario = fc.record({
  bounds: fc.record({ running: fc.integer({ min: 1, max: 7 }), waiting: fc.integer({ min: 1, max: 12 }) }),
  steps: fc.array(step, { maxLength: 120 }),
})

/** Plays a scenario over a queue and a list of what should wait; `onServed` gets what was chosen and what else waited. */
function play(
  { bounds, steps }: typeof scenario extends fc.Arbitrary<infer S> ? S : never,
  check: {
    readonly onServed?: (served: Item, waiting: readonly Item[], running: readonly string[]) => void
    readonly onSettled?: (running: readonly string[], waiting: readonly Item[]) => void
  },
): void {
  const queue = fairQueue<Item>(bounds)
  const running: string[] = []
  let waiting: Item[] = []
  let [now, place] = [0, 0]

  function serve(): void {
    for (const late of queue.expire(now)) {
      expect(late.until).not.toBeNull()
      expect(late.until ?? 0).toBeLessThanOrEqual(now)
      waiting = waiting.filter((one) => one !== late)
    }
    for (let next = queue.next(now); next !== null; next = queue.next(now)) {
      check.onServed?.(next, waiting, running)
      waiting = waiting.filter((one) => one !== next)
      running.push(next.caller)
    }
    check.onSettled?.(running, waiting)
    expect(queue.size()).toEqual({ running: running.length, waiting: waiting.length })
  }

  for (const one of steps) {
    if (one.kind === 'ask') {
      const item = { caller: one.caller, place, until: one.waitFor === null ? null : now + 1 + one.waitFor }
      place += 1
      if (queue.enter(one.caller)) running.push(one.caller)
      else if (queue.wait(one.caller, item, item.until)) waiting.push(item)
    } else if (one.kind === 'end' && running.length > 0) {
      const [caller = ''] = running.splice(one.index % running.length, 1)
      queue.leave(caller)
    } else if (one.kind === 'leave' && waiting.length > 0) {
      const gone = waiting[one.index % waiting.length]
      if (gone) queue.remove(gone.caller, gone)
      waiting = waiting.filter((item) => item !== gone)
    } else if (one.kind === 'pass') now += one.time
    serve()
  }
}

const countOf = (list: readonly string[], caller: string): number =>
  list.filter((one) => one === caller).length

describe('the queue of a class of work', () => {
  it('never runs more than its bound, nor more than half of it for one caller', () => {
    fc.assert(
      fc.property(scenario, (played) => {
        play(played, {
          onSettled(running) {
            expect(running.length).toBeLessThanOrEqual(played.bounds.running)
            for (const caller of callers)
              expect(countOf(running, caller)).toBeLessThanOrEqual(halfOf(played.bounds.running))
          },
        })
      }),
    )
  })

  it('leaves nothing waiting that may run', () => {
    fc.assert(
      fc.property(scenario, (played) => {
        play(played, {
          onSettled(running, waiting) {
            if (running.length >= played.bounds.running) return
            for (const { caller } of waiting)
              expect(countOf(running, caller)).toBe(halfOf(played.bounds.running))
          },
        })
      }),
    )
  })

  it('serves nobody twice while another, who may run, waits the whole time', () => {
    fc.assert(
      fc.property(scenario, (played) => {
        /** By who waits: whom it has seen served since, while it might have run itself. */
        const seen = new Map<Item, Set<string>>()
        play(played, {
          onServed(served, waiting, running) {
            for (const item of waiting) {
              if (item === served || item.caller === served.caller) continue
              const isFirst = !waiting.some((one) => one.caller === item.caller && one.place < item.place)
              if (!isFirst || countOf(running, item.caller) >= halfOf(played.bounds.running)) {
                seen.delete(item)
                continue
              }
              const others = seen.get(item) ?? new Set()
              expect(others.has(served.caller)).toBe(false)
              seen.set(item, others.add(served.caller))
            }
          },
        })
      }),
    )
  })

  it('serves what one caller has waiting in its order, and nothing past its time', () => {
    fc.assert(
      fc.property(scenario, (played) => {
        play(played, {
          onServed(served, waiting) {
            const own = waiting.filter(({ caller }) => caller === served.caller)
            expect(Math.min(...own.map(({ place }) => place))).toBe(served.place)
          },
        })
      }),
    )
  })

  it('takes no more waiting than its bound, and half of it from one caller; what is patient counts in no bound', () => {
    const queue = fairQueue<string>({ running: 1, waiting: 4 })
    expect(queue.enter('a')).toBe(true)
    expect([1, 2, 3].map((n) => queue.wait('a', `a${n}`, 10))).toEqual([true, true, false])
    expect([1, 2, 3].map((n) => queue.wait('b', `b${n}`, 10))).toEqual([true, true, false])
    expect(queue.wait('c', 'c1', 10)).toBe(false)
    expect(queue.wait('a', 'patient', null)).toBe(true)
    expect(queue.expire(10)).toEqual(['a1', 'a2', 'b1', 'b2'])
    queue.leave('a')
    expect(queue.next(1e9)).toBe('patient')
  })
})
