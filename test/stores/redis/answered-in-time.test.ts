import { randomUUID } from 'node:crypto'
import { setImmediate as turn } from 'node:timers/promises'
import { expect, inject, it } from 'vitest'
import { redisOnlineStore } from '../../../src/stores/redis/online-store.ts'
import { packedRow } from '../../contract/online-store.ts'
import { untilWorks } from '../../services/wait-until.ts'

const readTimeoutMs = 100

it('a read whose answer came while this process was busy is answered, and not given up for the time that it waited here', async () => {
  const store = redisOnlineStore({
    url: inject('redisUrl'),
    readTimeoutMs,
    onConnectionError: () => {},
  })
  try {
    const key = `busy:{${randomUUID()}}`
    const row = packedRow([1, 1, 1])
    await untilWorks(() => store.writeMany([{ key, row }], null))
    await untilWorks(() => store.readMany([key]))
    const reading = store.readMany([key])
    // The command leaves with the turn, and no socket is read behind it.
    await turn()
    const until = performance.now() + 5 * readTimeoutMs
    while (performance.now() < until);
    expect((await reading).rows).toEqual([row])
  } finally {
    await store.close()
  }
})
