import { describe, expect, it } from 'vitest'
import { openLayoutHistory } from '../../src/online/layout-history.ts'
import type { KnownLayout } from '../../src/stores/registry-store.ts'

const never = new AbortController().signal

function layout(fingerprint: number): KnownLayout {
  return { fingerprint, features: [], viewId: 'v', definition: null, digests: null }
}

/** A registry store whose layouts are read when the test says so. */
async function opened() {
  const recorded = [layout(1)]
  const readings: ((isThere: boolean) => void)[] = []
  let isOpen = true
  const history = await openLayoutHistory({
    layouts: async () => {
      const seen = [...recorded]
      if (isOpen) return seen
      const isThere = await new Promise<boolean>((resolve) => readings.push(resolve))
      if (!isThere) throw new Error('the store is away')
      return seen
    },
  })
  isOpen = false
  const started = async (count: number) => await expect.poll(() => readings.length).toBe(count)
  return { recorded, readings, started, history }
}

describe('a layout that is not known', () => {
  it('is read once for all that wait for it, and again for one that was recorded meanwhile', async () => {
    const { recorded, readings, started, history } = await opened()
    recorded.push(layout(2))
    const first = [1, 2, 3].map(() => history.learn(new Set([2]), never))
    await started(1)
    recorded.push(layout(3))
    const later = history.learn(new Set([3]), never)
    readings[0]?.(true)
    await Promise.all(first)
    expect([history.find(2)?.fingerprint, history.find(3)]).toEqual([2, null])
    await started(2)
    readings[1]?.(true)
    await later
    expect(history.find(3)?.fingerprint).toBe(3)
  })

  it('is not waited for once more where nobody has recorded it, but where the store did not answer', async () => {
    const { readings, started, history } = await opened()
    const failing = history.learn(new Set([7]), never)
    await started(1)
    readings[0]?.(false)
    await failing
    expect(history.isUnrecorded(7)).toBe(false)
    const asked = history.learn(new Set([7]), never)
    await started(2)
    readings[1]?.(true)
    await asked
    expect([history.isUnrecorded(7), history.isUnrecorded(1)]).toEqual([true, false])
  })

  it('is waited for no longer than the caller waits', async () => {
    const { history } = await opened()
    await history.learn(new Set([7]), AbortSignal.abort())
    expect(history.find(7)).toBeNull()
  })
})
