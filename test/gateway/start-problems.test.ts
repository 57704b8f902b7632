import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pino } from 'pino'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { readConfig } from '../../src/config/read-config.ts'
import { makeWritable } from '../../src/embedded/writable-folder.ts'
import { StoreFailed } from '../../src/errors.ts'
import { serverOf, withSetting } from '../../src/gateway/server-of.ts'
import { startGateway } from '../../src/gateway/start-gateway.ts'
import { worldFolder } from '../services/plain-definitions.ts'

const secret = 'hunter2-hunter2'

let folder: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'featuregraph-start-'))
})
afterAll(async () => await rm(folder, { recursive: true, force: true }))

it('a port that is taken is reported before any store is opened, with what to set', async () => {
  const other = createServer()
  await new Promise<void>((resolve) => other.listen(0, '127.0.0.1', resolve))
  const address = other.address()
  const port = typeof address === 'object' && address !== null ? address.port : 0
  const config = readConfig({
    FEATUREGRAPH_PORT: String(port),
    FEATUREGRAPH_SCHEMA: worldFolder(),
    // Nothing listens there: a start that came so far would report that.
    FEATUREGRAPH_OFFLINE_URL: 'postgres://nobody@127.0.0.1:1/none',
  })
  try {
    await expect(startGateway(config, { log: pino({ level: 'silent' }) })).rejects.toThrow(
      `FEATUREGRAPH_PORT: port ${port} of 127.0.0.1 is taken; stop what listens there, or set another, as FEATUREGRAPH_PORT=`,
    )
  } finally {
    other.close()
  }
})

it('a data folder that cannot be written is reported with the settings that help', async () => {
  const file = join(folder, 'file')
  await writeFile(file, '')
  for (const path of [file, join(file, 'below')])
    await expect(makeWritable(path)).rejects.toThrow(
      new RegExp(
        `^the data folder ${path} cannot be written \\(E.*set FEATUREGRAPH_DATA .*FEATUREGRAPH_OFFLINE_URL`,
      ),
    )
  expect(await makeWritable(join(folder, 'new', 'one'))).toBe(join(folder, 'new'))
})

describe('a database that cannot be had', () => {
  const failing = (code: string, message: string) => () => {
    const cause = Object.assign(new Error(message), { code })
    const url = `postgres://me:${secret}@db.internal:5433/features`
    return withSetting('FEATUREGRAPH_OFFLINE_URL', url)(new StoreFailed('Postgres failed', { cause }))
  }

  it.each([
    [
      'ECONNREFUSED',
      'connect ECONNREFUSED',
      /\(connect ECONNREFUSED\); start it, or correct the host and port$/,
    ],
    ['ECONNREFUSED', '', /\(ECONNREFUSED\); start it/],
    ['ENOTFOUND', 'getaddrinfo ENOTFOUND db.internal', /no host of this name is known/],
    ['28P01', 'password authentication failed', /correct the user or the password$/],
    ['3D000', 'database "features" does not exist', /create the database/],
    ['XX000', 'something', /check the server and the URL$/],
  ])(
    'is named with its setting, its server and what to do, without the password: %s',
    (code, message, told) => {
      const start = /^FEATUREGRAPH_OFFLINE_URL: Postgres at db\.internal:5433 does not answer \(/
      expect(failing(code, message)).toThrow(start)
      expect(failing(code, message)).toThrow(told)
      expect(failing(code, message)).not.toThrow(secret)
    },
  )

  it.each([
    [`redis://:${secret}@cache:6379/2`, 'cache:6379'],
    [`kafka://u:${secret}@a:1,b:2?tls=true`, 'a:1,b:2'],
    ['postgres:///database', 'its default address'],
  ])('has its servers shown without user and password', (url, servers) => {
    expect(serverOf(url)).toBe(servers)
  })
})
