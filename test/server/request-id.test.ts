import { expect, it } from 'vitest'
import { requestIds } from '../../src/server/request-id.ts'

it("gives every request a UUID of its own, and keeps the caller's id where it is one word", () => {
  const requestId = requestIds()
  const made = Array.from({ length: 10_000 }, () => requestId(undefined))
  expect(new Set(made).size).toBe(made.length)
  for (const id of made)
    expect(id).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/)
  expect(requestId('order-7')).toBe('order-7')
  for (const unfit of ['', 'two words', 'x'.repeat(129), 'é', ['a', 'b']])
    expect(requestId(unfit)).toMatch(/^[0-9a-f-]{36}$/)
  expect(requestIds()(undefined).slice(0, 24)).not.toBe(made[0]?.slice(0, 24))
})
