import { describe, expect, it } from 'vitest'
import { currentWorld } from '../../src/gateway/current-world.ts'

/** Worlds by name, and which are closed, in order. */
function worlds() {
  const closed: string[] = []
  const world = (name: string) => ({ name, close: async () => void closed.push(name) })
  return { closed, world }
}

describe('what answers requests', () => {
  it('stays open until the last request that began with it has ended, however often that is said', async () => {
    const { closed, world } = worlds()
    const current = currentWorld(world('first'))
    const [one, two] = [current.hold(), current.hold()]
    current.swap(world('second'))
    expect([one.world.name, current.get().name, current.hold().world.name]).toEqual([
      'first',
      'second',
      'second',
    ])
    one.release()
    one.release()
    expect(closed).toEqual([])
    two.release()
    expect(closed).toEqual(['first'])
  })

  it('is closed at the swap where no request is under way, and all of it at the end', async () => {
    const { closed, world } = worlds()
    const current = currentWorld(world('first'))
    current.swap(world('second'))
    expect(closed).toEqual(['first'])
    current.hold()
    current.swap(world('third'))
    await current.close()
    expect(closed.toSorted()).toEqual(['first', 'second', 'third'])
  })
})
