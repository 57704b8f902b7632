import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { waitUntil } from '../services/wait-until.ts'
import { startCommand } from './start-command.ts'

// With `.ci/run` also on Node 24, whichever node runs the tests.
it('the gateway needs no server beside it: serve starts, answers a query and ends in order', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'featuregraph-alone-'))
  const settings = {
    DATA: join(folder, 'data'),
    DEMO: 'false',
    SCHEMA: 'schema',
    HOST: '127.0.0.1',
    PORT: '0',
  }
  const { child, output, ended } = startCommand(['serve'], settings, folder)
  try {
    let url: string | undefined
    let hasEnded = false
    void ended.then(() => {
      hasEnded = true
    })
    await waitUntil(
      () => {
        url = /answers at (http\S+\/graphql)/.exec(output.stdout)?.[1]
        if (url === undefined && hasEnded) throw new Error(`serve ended:\n${output.stdout}\n${output.stderr}`)
        return url !== undefined
      },
      () => `serve answers:\n${output.stdout}\n${output.stderr}`,
    )
    const response = await fetch(url ?? '', {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({
        query:
          '{ featureServices { name } customer(customerId: 1) { customerId customerTransactionFeatures { freshness { status } } } }',
      }),
    })
    expect(await response.json()).toEqual({
      data: {
        featureServices: [{ name: 'fraud_detection_v1' }],
        customer: { customerId: 1, customerTransactionFeatures: { freshness: { status: 'NOT_FOUND' } } },
      },
    })
    child.kill('SIGTERM')
    expect((await ended).code).toBe(0)
  } finally {
    child.kill('SIGKILL')
    await ended
    await rm(folder, { recursive: true, force: true })
  }
})
