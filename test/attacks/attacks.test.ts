import { afterAll, beforeAll } from 'vitest'
import { type Attacked, startAttacked } from './attacked-gateway.ts'
import { callerAttacks } from './callers.ts'
import { documentAttacks } from './documents.ts'
import { requestAttacks } from './requests.ts'
import { scannerChecks } from './scanners.ts'
import { wayAttacks } from './ways.ts'

let started: Attacked | undefined
const attacked = (): Attacked => {
  if (!started) throw new Error('the gateway was not started')
  return started
}

beforeAll(async () => {
  started = await startAttacked()
})
afterAll(() => started?.close())

// By what comes back, never by time; the numbers are those of the list of checks that this began as.
documentAttacks(attacked)
requestAttacks(attacked)
callerAttacks(attacked)
wayAttacks(attacked)
scannerChecks(attacked)
