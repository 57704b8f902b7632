import { execFile } from 'node:child_process'
import { readdir } from 'node:fs/promises'
import { request as httpRequest, type IncomingHttpHeaders } from 'node:http'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { gunzipSync } from 'node:zlib'
import Fastify, { type FastifyInstance } from 'fastify'
import { buildSchema, graphql } from 'graphql'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { graphiqlRoutes } from '../../src/server/graphiql/static-files.ts'
import { type OpenPage, openPage } from './browser.ts'

const buildScript = fileURLToPath(new URL('../../src/server/graphiql/build.js', import.meta.url))
const built = fileURLToPath(new URL('../../dist/graphiql', import.meta.url))

const schema = buildSchema(`
  "Two clocks."
  schema { query: Query }
  type Query { customer(customerId: Int!): Customer! }
  type Customer { customerId: Int! total: Float }
`)
const rootValue = {
  customer: ({ customerId }: { readonly customerId: number }) => ({ customerId, total: 1234.5 }),
}
/** As the gateway would generate them. */
const tabs = ['Online', 'Again'].map((name, index) => ({
  name,
  query: `# A comment.\nquery ${name}($key: Int!) {\n  customer(customerId: $key) { customerId total }\n}\n`,
  variables: { key: 1001 + index },
}))

describe('the built page', () => {
  let app: FastifyInstance
  let url: string

  beforeAll(async () => {
    await promisify(execFile)(process.execPath, [buildScript])
    app = Fastify()
    app.post<{ Body: { readonly query: string; readonly variables?: Record<string, unknown> | null } }>(
      '/graphql',
      ({ body }) =>
        graphql({ schema, source: body.query, rootValue, variableValues: body.variables ?? null }),
    )
    app.get('/graphiql/tabs', () => tabs)
    await app.register(graphiqlRoutes(built))
    url = await app.listen({ host: '127.0.0.1', port: 0 })
  })
  afterAll(() => app?.close())

  test('is left alone by a second build', async () => {
    const { stdout } = await promisify(execFile)(process.execPath, [buildScript])
    expect(stdout).toMatch(/^graphiql: \S+ is up to date\n$/)
  })

  test('comes with a policy that lets in nothing from elsewhere, and is asked for again each time', async () => {
    const page = await fetchRaw(url, '/')
    expect(page.status).toBe(200)
    expect(page.headers['content-type']).toBe('text/html; charset=utf-8')
    expect(page.headers['cache-control']).toBe('no-cache')
    expect(page.headers['x-content-type-options']).toBe('nosniff')
    expect(page.headers['referrer-policy']).toBe('no-referrer')
    expect(page.headers['content-security-policy']).toBe(
      "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; " +
        "font-src 'self' data:; connect-src 'self'; worker-src 'self'; base-uri 'none'; form-action 'none'; " +
        "frame-ancestors 'none'",
    )
    const html = page.body.toString()
    expect(html).toContain('<title>featuregraph</title>')
    expect(html).not.toMatch(/https?:|<script(?![^>]* src=)|<style|%/)
  })

  test('names assets that are there, may be stored for good, and have their own type', async () => {
    const html = (await fetchRaw(url, '/')).body.toString()
    const links = [...html.matchAll(/(?:src|href)="([^"]+)"/g)].map(([, link]) => `/${link}`)
    expect(links).toHaveLength(3)
    const types: unknown[] = []
    for (const link of links) {
      const asset = await fetchRaw(url, link)
      expect(asset.status).toBe(200)
      expect(asset.headers['cache-control']).toBe('public, max-age=31536000, immutable')
      expect(asset.headers['x-content-type-options']).toBe('nosniff')
      types.push(asset.headers['content-type'])
    }
    expect(types).toEqual(['image/svg+xml', 'text/css; charset=utf-8', 'text/javascript; charset=utf-8'])
  })

  test('is sent gzipped only to those who take gzip, as the same bytes', async () => {
    const script = await assetPath('page', 'js')
    const plain = await fetchRaw(url, script)
    expect(plain.headers['content-encoding']).toBeUndefined()
    expect(plain.headers.vary).toBe('accept-encoding')
    for (const accepted of ['gzip', 'br, gzip;q=0.5', 'deflate, GZIP']) {
      const zipped = await fetchRaw(url, script, { 'accept-encoding': accepted })
      expect(zipped.headers['content-encoding']).toBe('gzip')
      expect(Number(zipped.headers['content-length'])).toBe(zipped.body.length)
      expect(gunzipSync(zipped.body).equals(plain.body)).toBe(true)
      expect(zipped.headers.etag).not.toBe(plain.headers.etag)
    }
    for (const accepted of ['br', 'gzip;q=0', 'gzip; q=0.000, br', '*']) {
      const refused = await fetchRaw(url, script, { 'accept-encoding': accepted })
      expect(refused.headers['content-encoding']).toBeUndefined()
    }
  })

  test('answers 304 without a body to a client that has it already', async () => {
    for (const path of ['/', await assetPath('page', 'css')]) {
      const { etag } = (await fetchRaw(url, path)).headers
      expect(etag).toMatch(/^"[\w-]{22}"$/)
      for (const known of [`${etag}`, `"other", W/${etag}`, '*']) {
        const again = await fetchRaw(url, path, { 'if-none-match': known })
        expect(again.status).toBe(304)
        expect(again.body).toHaveLength(0)
        expect(again.headers.etag).toBe(etag)
      }
      expect((await fetchRaw(url, path, { 'if-none-match': '"other"' })).status).toBe(200)
      // Another coding is another representation.
      const zipped = await fetchRaw(url, path, { 'if-none-match': `${etag}`, 'accept-encoding': 'gzip' })
      expect(zipped.status).toBe(200)
    }
  })

  test('answers HEAD with the headers of GET and no body', async () => {
    for (const path of ['/', await assetPath('page', 'js')]) {
      const whole = await fetchRaw(url, path)
      const head = await fetchRaw(url, path, {}, 'HEAD')
      expect(head.status).toBe(200)
      expect(head.body).toHaveLength(0)
      expect(head.headers['content-length']).toBe(String(whole.body.length))
      expect(head.headers.etag).toBe(whole.headers.etag)
    }
  })

  test('leads to no other file', async () => {
    const outside = [
      '/graphiql/assets/unknown-AAAAAAAA.js',
      '/graphiql/assets/',
      '/graphiql/assets/../index.html',
      '/graphiql/assets/..%2findex.html',
      '/graphiql/assets/%2e%2e%2findex.html',
      '/graphiql/assets/..%5cindex.html',
      '/graphiql/assets/%2fetc%2fpasswd',
      '/graphiql/assets/index.html%00.js',
      '/graphiql/assets/__proto__',
      '/graphiql/../../../../etc/passwd',
      '/index.html',
      `${await assetPath('page', 'js')}.gz`,
    ]
    for (const path of outside) expect((await fetchRaw(url, path)).status, path).toBe(404)
  })

  test('works in a browser: tabs, variables, an answer, nothing from elsewhere, not a word in the console', async () => {
    const opened = await openPage(url)
    try {
      await tryGraphiql(opened)
      // The editor starts its workers in its own time; the checks below are to see their requests too.
      for (const worker of ['editor', 'json', 'graphql']) {
        await expect
          .poll(() => opened.requestedUrls.some((each) => each.includes(`/${worker}.worker-`)))
          .toBe(true)
      }
      expect(opened.pageErrors).toEqual([])
      expect(opened.consoleMessages).toEqual([])
      const elsewhere = opened.requestedUrls.filter(
        (each) => !each.startsWith(`${url}/`) && !each.startsWith('data:'),
      )
      expect(elsewhere).toEqual([])
    } finally {
      await opened.close()
    }
  })
})

describe('without a build', () => {
  test('the page says how to make one', async () => {
    const app = Fastify()
    await app.register(graphiqlRoutes(`${built}-absent`))
    const page = await app.inject('/')
    expect(page.statusCode).toBe(503)
    expect(page.headers['content-type']).toBe('text/html; charset=utf-8')
    expect(page.headers['content-security-policy']).toContain("default-src 'none'")
    expect(page.body).toContain('node src/server/graphiql/build.js')
    expect((await app.inject('/graphiql/assets/page.js')).statusCode).toBe(404)
    await app.close()
  })
})

async function tryGraphiql({ page }: OpenPage): Promise<void> {
  const shown = page.locator('.graphiql-tab-button')
  await shown.nth(1).waitFor()
  expect(await shown.allTextContents()).toEqual(tabs.map(({ name }) => name))

  const variables = page.locator('.graphiql-editor-tool .view-lines').first()
  const response = page.locator('.result-window .view-lines')
  await expect.poll(() => variables.textContent()).toContain('1001')

  // The headers editor is there, and what was in it does not outlive the page.
  await page.getByRole('button', { name: 'Headers' }).click()
  await page.locator('.graphiql-editor-tool .monaco-editor').last().click()
  await page.keyboard.insertText('{ "authorization": "Bearer secret" }')
  await page.getByRole('button', { name: 'Variables' }).click()

  const sent = page.waitForRequest((request) => request.postData()?.includes('query Online') === true)
  await page.locator('.graphiql-execute-button').click()
  expect((await sent).headers()['authorization']).toBe('Bearer secret')
  await expect.poll(() => response.textContent()).toContain('1234.5')
  // Squiggles of the language workers, had they found the examples wrong.
  expect(await page.locator('.squiggly-error, .squiggly-warning').count()).toBe(0)
  const screenshot = process.env['GRAPHIQL_SCREENSHOT']
  if (screenshot) await page.screenshot({ path: screenshot })

  await shown.nth(1).click()
  await expect.poll(() => variables.textContent()).toContain('1002')
  expect(await page.evaluate(() => JSON.stringify(localStorage))).not.toContain('secret')

  await page.getByRole('button', { name: /Documentation/ }).click()
  await expect.poll(() => page.locator('.graphiql-plugin').textContent()).toContain('Two clocks.')
}

type RawResponse = {
  readonly status: number | undefined
  readonly headers: IncomingHttpHeaders
  readonly body: Buffer
}

/** As fetch, but the path goes out as written and the body comes as sent. */
function fetchRaw(
  base: string,
  path: string,
  headers: Readonly<Record<string, string>> = {},
  method: 'GET' | 'HEAD' = 'GET',
): Promise<RawResponse> {
  return new Promise((resolve, reject) => {
    const { hostname, port } = new URL(base)
    const request = httpRequest({ hostname, port, path, method, headers, agent: false }, async (response) => {
      const chunks: Buffer[] = []
      for await (const chunk of response) chunks.push(chunk)
      resolve({ status: response.statusCode, headers: response.headers, body: Buffer.concat(chunks) })
    })
    request.on('error', reject).end()
  })
}

async function assetPath(name: string, extension: string): Promise<string> {
  const files = await readdir(`${built}/assets`)
  const file = files.find((each) => each.startsWith(`${name}-`) && each.endsWith(`.${extension}`))
  if (file === undefined)
    throw new Error(`expected an asset ${name}-*.${extension}; there are ${files.join(', ')}`)
  return `/graphiql/assets/${file}`
}
