import fc from 'fast-check'
import { Histogram, Registry } from 'prom-client'
import { expect, it } from 'vitest'
import { plainHistogram, type Series } from '../../src/server/plain-histogram.ts'

const described = { name: 'took_seconds', help: 'How long "it" took', buckets: [0.001, 0.5, 1, 30] }
const operations = ['anonymous', 'a "quoted"\\\nname']
const values = [0, 0.0001, 0.001, 0.3, 0.5, 0.500_000_1, 1, 29.9, 30, 31, 1e9]

it("shows the text of prom-client's own histogram, whatever was observed and removed", async () => {
  const step = fc.record({
    operation: fc.constantFrom(...operations),
    value: fc.option(fc.constantFrom(...values), { freq: 9 }),
  })
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 60 }), async (steps) => {
      const [theirs, ours] = [new Registry(), new Registry()]
      const expected = new Histogram({
        ...described,
        labelNames: ['operation', 'outcome'],
        registers: [theirs],
      })
      const plain = plainHistogram<'operation' | 'outcome'>(ours, described)
      const known = new Map<string, Series>()
      for (const { operation, value } of steps) {
        const labels = { operation, outcome: 'ok' }
        const series = known.get(operation)
        if (value !== null) {
          expected.observe(labels, value)
          const used = series ?? plain.series(labels)
          used.observe(value)
          known.set(operation, used)
        } else if (series) {
          expected.remove(labels)
          plain.remove(series)
          known.delete(operation)
        }
      }
      expect(await ours.metrics()).toBe(await theirs.metrics())
    }),
  )
})

it('shows no series that has observed nothing', async () => {
  const register = new Registry()
  const plain = plainHistogram<'operation'>(register, described)
  plain.series({ operation: 'never' })
  expect(await register.metrics()).not.toContain('never')
})
