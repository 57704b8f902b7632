import { expect, it } from 'vitest'
import { Overloaded, retryAfterSeconds } from '../../../src/errors.ts'
import { workClasses } from '../../../src/graph/work.ts'
import { type ClassBounds, createAdmission } from '../../../src/server/admission/admission.ts'

function open(bounds: ClassBounds) {
  let at = 0
  const all = Object.fromEntries(workClasses.map((name) => [name, bounds])) as Record<
    (typeof workClasses)[number],
    ClassBounds
  >
  const admission = createAdmission({ bounds: all, now: () => at })
  const pass = (ms: number): void => {
    at += ms
  }
  return { ...admission, pass }
}

it('answers at once while there is room, and counts each class by itself', () => {
  const { enter, tryEnter, report } = open({ running: 2, waiting: 2, waitMs: 1_000 })
  const end = enter('online', 'a')
  expect(end).toBeTypeOf('function')
  expect(tryEnter('online', 'a')).toBeNull()
  expect(tryEnter('asOf', 'a')).not.toBeNull()
  expect(report('online')).toMatchObject({ running: 1, waiting: 0, begun: 1 })
  if (typeof end === 'function') {
    end()
    end()
  }
  expect(report('online').running).toBe(0)
})

it('drops what is past its time unrun when its turn would come, and says what it waited for', async () => {
  const { enter, tryEnter, pass, report } = open({ running: 2, waiting: 8, waitMs: 1_000_000 })
  const end = tryEnter('asOf', 'a')
  const late = Promise.resolve(enter('asOf', 'a')).catch((error: unknown) => error)
  pass(1_000_001)
  const inTime = enter('asOf', 'a')
  end?.()
  const refused = await late
  expect(refused).toBeInstanceOf(Overloaded)
  expect(String(refused)).toContain('as-of reads')
  expect(retryAfterSeconds(refused)).toBeGreaterThan(0)
  expect(await inTime).toBeTypeOf('function')
  expect(report('asOf')).toMatchObject({ running: 1, waiting: 0, begun: 2, refused: 1 })
})

it('refuses by itself what nobody makes room for', async () => {
  const { enter, tryEnter, pass } = open({ running: 2, waiting: 8, waitMs: 1 })
  tryEnter('asOf', 'a')
  const waiting = enter('asOf', 'a')
  pass(2)
  await expect(waiting).rejects.toBeInstanceOf(Overloaded)
})

it('forgets who went away while it waited', async () => {
  const { enter, tryEnter, report } = open({ running: 2, waiting: 8, waitMs: 1_000_000 })
  const end = tryEnter('asOf', 'a')
  const gone = new AbortController()
  const waiting = enter('asOf', 'a', () => gone.signal)
  gone.abort()
  await expect(waiting).rejects.toThrow('went away')
  end?.()
  expect(report('asOf')).toMatchObject({ running: 0, waiting: 0, begun: 1 })
})

it('has patient work wait past the bound and past every time', async () => {
  const { enterPatiently, tryEnter, pass } = open({ running: 2, waiting: 1, waitMs: 1 })
  const end = tryEnter('ingestion', 'a')
  const waiting = [enterPatiently('ingestion', 'a'), enterPatiently('ingestion', 'a')]
  pass(1_000_000)
  end?.()
  const next = await waiting[0]
  next?.()
  expect(await waiting[1]).toBeTypeOf('function')
})
