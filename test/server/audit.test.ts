import { expect, it } from 'vitest'
import { audit } from '../../src/server/audit.ts'
import type { AuditEntry } from '../../src/stores/audit-store.ts'

const caller = { who: 'ann', address: '10.0.0.1', requestId: 'r' }

it('records the codes by which a call is refused, and not those by which one is answered', () => {
  const entries: AuditEntry[] = []
  const { refused } = audit(
    (entry) => entries.push(entry),
    () => 0,
  )
  const codes = ['UNAUTHENTICATED', 'FORBIDDEN', 'LIMIT_EXCEEDED', 'RATE_LIMITED', 'OVERLOADED']
  for (const code of [...codes, 'BAD_USER_INPUT', 'NOT_FOUND', 'INTERNAL_SERVER_ERROR', 'ok'])
    refused(caller, code)
  expect(entries.map(({ outcome }) => outcome)).toEqual(codes)
  expect(entries[0]).toEqual({ ...caller, action: 'CALL', subject: null, outcome: codes[0], count: 1 })
})

it('records one refusal a second of a caller and code, with how many it stands for', () => {
  const entries: AuditEntry[] = []
  let now = 0
  const { refused } = audit(
    (entry) => entries.push(entry),
    () => now,
  )
  const other = { ...caller, who: null }
  for (let call = 0; call < 20; call += 1) refused(caller, 'FORBIDDEN')
  refused(other, 'FORBIDDEN')
  refused(caller, 'OVERLOADED')
  now = 1_000
  refused(caller, 'FORBIDDEN')
  expect(entries.map(({ who, outcome, count }) => [who, outcome, count])).toEqual([
    ['ann', 'FORBIDDEN', 1],
    [null, 'FORBIDDEN', 1],
    ['ann', 'OVERLOADED', 1],
    // The first of the new second, and those that were not recorded before.
    ['ann', 'FORBIDDEN', 20],
  ])
})
