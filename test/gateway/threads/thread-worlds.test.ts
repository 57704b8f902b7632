import { expect, it } from 'vitest'
import { threadWorlds } from '../../../src/gateway/threads/thread-worlds.ts'

function open() {
  const built: number[] = []
  const closed: number[] = []
  const worlds = threadWorlds(async (version) => {
    built.push(version)
    if (version === 13) throw new Error('cannot be built')
    return { version, close: async () => void closed.push(version) }
  })
  return { worlds, built, closed }
}

it('a request has the version that it asks for, to its end, whatever others ask for meanwhile', async () => {
  const { worlds, built, closed } = open()
  const [first, again] = await Promise.all([worlds.hold(1), worlds.hold(1)])
  const next = await worlds.hold(2)
  expect([first.world.version, again.world.version, next.world.version]).toEqual([1, 1, 2])
  expect(built).toEqual([1, 2])
  first.release()
  next.release()
  expect(closed).toEqual([])
  again.release()
  await expect.poll(() => closed).toEqual([1])
})

it('a version that cannot be built is tried again by the next request', async () => {
  const { worlds, built } = open()
  await expect(worlds.hold(13)).rejects.toThrow('cannot be built')
  await expect(worlds.hold(13)).rejects.toThrow('cannot be built')
  expect(built).toEqual([13, 13])
})
