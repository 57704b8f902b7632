import { Readable } from 'node:stream'
import Fastify from 'fastify'
import { pino } from 'pino'
import { expect, it } from 'vitest'
import { FailuresOnly } from '../../src/server/failures-only.ts'
import { waitUntil } from '../services/wait-until.ts'

it('an answer that breaks off here is a warning under the id of its request, one whose caller went away is none', async () => {
  const lines: { readonly level: number; readonly reqId?: string; readonly msg: string }[] = []
  const app = Fastify({
    loggerInstance: pino({ level: 'info' }, { write: (line: string) => lines.push(JSON.parse(line)) }),
    logController: new FailuresOnly(),
    forceCloseConnections: true,
    genReqId: ({ url = '' }) => `id of ${url}`,
  })
  async function* broken() {
    yield 'begun\n'
    throw new Error('the source has failed')
  }
  async function* endless() {
    for (;;) yield `${'x'.repeat(10_000)}\n`
  }
  app.get('/broken', (_request, reply) => reply.send(Readable.from(broken())))
  app.get('/endless', (_request, reply) => reply.send(Readable.from(endless())))
  try {
    const url = await app.listen({ port: 0, host: '127.0.0.1' })
    const answer = await fetch(`${url}/broken`)
    await expect(answer.text()).rejects.toThrow()
    const leaving = new AbortController()
    const { body } = await fetch(`${url}/endless`, { signal: leaving.signal })
    await body?.getReader().read()
    leaving.abort()
    const about = (path: string) => lines.filter(({ reqId }) => reqId === `id of ${path}`)
    await waitUntil(() => about('/endless').length > 0, 'the caller that went away is logged')
    expect(about('/broken')).toMatchObject([
      { level: pino.levels.values['warn'], msg: 'an answer broke off' },
    ])
    expect(about('/endless')).toMatchObject([{ level: pino.levels.values['info'] }])
  } finally {
    await app.close()
  }
})
