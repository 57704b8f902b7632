import fc from 'fast-check'
import { expect, it } from 'vitest'
import { arbitraryOperation } from './arbitrary-operation.ts'
import type { Operation, Served, World } from './run-operation.ts'
import { smallWorld } from './small-world.ts'

/** One use: its answer, what was read for it and what was counted. */
async function use(world: World, operation: Operation): Promise<Served & { readonly seen: unknown }> {
  const before = world.statuses()
  world.forget()
  const served = await world.runServed(operation)
  const after = world.statuses()
  const counted = Object.fromEntries(
    Object.entries(after).map(([view, counts]) => [
      view,
      Object.entries(counts).map(([status, count]) => count - (before[view]?.[status] ?? 0)),
    ]),
  )
  return {
    ...served,
    seen: { counted, online: [...world.reads.online], offline: world.reads.offline.length },
  }
}

it('the third use of a text is answered past Apollo, by the same bytes, reads and counts as the first two', async () => {
  const world = await smallWorld()
  const operations = fc.oneof(
    arbitraryOperation(world.registry, { conditions: true, fragments: false }),
    arbitraryOperation(world.registry, { conditions: false, fragments: true }),
  )
  await fc.assert(
    fc.asyncProperty(operations, async (operation) => {
      const [first, second, third] = [
        await use(world, operation),
        await use(world, operation),
        await use(world, operation),
      ]
      // graphql-jit puts fields of several places under conditions in another order.
      expect(JSON.parse(second.text)).toEqual(JSON.parse(first.text))
      expect([first.text, second.text]).toContain(third.text)
      expect(third.seen).toEqual(first.seen)
      const isWithoutErrors = !('errors' in JSON.parse(first.text))
      expect(third.route).toBe(isWithoutErrors ? 'DIRECT' : 'APOLLO')
    }),
    { numRuns: 150 },
  )
})
