import fc from 'fast-check'
import { expect, it } from 'vitest'
import { byteReader, byteWriter } from '../../src/windows/bytes.ts'

const most = 2 ** 52

it('writes a whole number of either sign as the same bytes as its BigInt, and reads it back', () => {
  const edges = [0, 63, -64, 64, -65, 2 ** 30, -(2 ** 30) - 1, 2 ** 31, 2 ** 32, most - 1, -most]
  const numbers = fc.oneof(fc.constantFrom(...edges), fc.integer({ min: -most, max: most - 1 }))
  fc.assert(
    fc.property(fc.array(numbers), (values) => {
      const [out, exact] = [byteWriter(), byteWriter()]
      for (const value of values) {
        out.signed(value)
        exact.integer(BigInt(value))
      }
      const bytes = out.take()
      expect(bytes).toEqual(exact.take())
      const input = byteReader(bytes)
      expect(values.map(() => input.signed())).toEqual(values)
      expect(input.isAtEnd()).toBe(true)
    }),
  )
})
