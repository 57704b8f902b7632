import { createHash } from 'node:crypto'
import { readdir, readFile } from 'node:fs/promises'
import { extname, join } from 'node:path'
import type { FastifyPluginAsync, FastifyReply, FastifyRequest } from 'fastify'
import { ifMissing } from '../../errors.ts'

/** A body as it goes over the wire; two codings of one file are two representations, so each has its own ETag. */
type Representation = { readonly body: Buffer; readonly etag: string }
type StaticFile = {
  readonly contentType: string
  readonly plain: Representation
  readonly gzipped: Representation | undefined
}

const contentTypes: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.svg': 'image/svg+xml',
  '.ttf': 'font/ttf',
}

const securityHeaders = {
  // Monaco sets styles inline and has its fonts in data: URLs; nothing else is let through.
  'content-security-policy': [
    "default-src 'none'",
    "script-src 'self'",
    "style-src 'self' 'unsafe-inline'",
    "img-src 'self' data:",
    "font-src 'self' data:",
    "connect-src 'self'",
    "worker-src 'self'",
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
  ].join('; '),
  'x-content-type-options': 'nosniff',
  'referrer-policy': 'no-referrer',
}

const notBuilt = `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<title>featuregraph</title>
<p>GraphiQL is not built. Run <code>node src/server/graphiql/build.js</code> and start the gateway again.
<p>The API itself is at <code>/graphql</code>, by POST.
</html>
`

/**
 * GraphiQL at `/`, its bundle at `/graphiql/assets/<name>`, from a folder that build.js made.
 * All of it (about 9 MB) is read when the plugin is registered and no file is touched later, so that a request can only
 * name what was there then: other names answer the gateway's own 404. Without the folder `/` answers 503 and says how
 * to build it. Assets may be cached for good, since their names hold their hash; the page is asked for again each time.
 */
export function graphiqlRoutes(folder: string): FastifyPluginAsync {
  return async (app) => {
    const page = await readStaticFile(folder, 'index.html').catch(ifMissing(undefined))
    const assets =
      page === undefined ? new Map<string, StaticFile>() : await readAssets(join(folder, 'assets'))

    app.addHook('onRequest', async (_request, reply) => {
      reply.headers(securityHeaders)
    })
    app.route({
      method: ['GET', 'HEAD'],
      url: '/',
      handler: async (request, reply) => {
        reply.header('cache-control', 'no-cache')
        if (page !== undefined) return send(page, request, reply)
        return reply.code(503).type('text/html; charset=utf-8').send(notBuilt)
      },
    })
    app.route<{ Params: { name: string } }>({
      method: ['GET', 'HEAD'],
      url: '/graphiql/assets/:name',
      handler: async (request, reply) => {
        const asset = assets.get(request.params.name)
        if (asset === undefined) return reply.callNotFound()
        reply.header('cache-control', 'public, max-age=31536000, immutable')
        return send(asset, request, reply)
      },
    })
  }
}

function send(file: StaticFile, request: FastifyRequest, reply: FastifyReply): FastifyReply {
  const isGzipped = file.gzipped !== undefined && acceptsGzip(request.headers['accept-encoding'])
  const representation = isGzipped ? file.gzipped : file.plain
  reply.header('etag', representation.etag)
  if (file.gzipped !== undefined) reply.header('vary', 'accept-encoding')
  if (matches(request.headers['if-none-match'], representation.etag)) return reply.code(304).send()
  if (isGzipped) reply.header('content-encoding', 'gzip')
  return reply.type(file.contentType).send(representation.body)
}

/** gzip is named in the header and not with the weight 0; a bare `*` gets the plain file, which is always right. */
function acceptsGzip(header: string | string[] | undefined): boolean {
  return String(header ?? '')
    .split(',')
    .map((coding) => coding.split(';').map((part) => part.trim().toLowerCase()))
    .some(([name, weight]) => name === 'gzip' && !/^q=0(\.0*)?$/.test(weight ?? ''))
}

/** If-None-Match is a list, or `*`, and compares weakly (RFC 9110, 13.1.2). */
function matches(header: string | undefined, etag: string): boolean {
  const tags = (header ?? '').split(',').map((tag) => tag.trim().replace(/^W\//, ''))
  return tags.includes(etag) || tags.includes('*')
}

async function readAssets(folder: string): Promise<ReadonlyMap<string, StaticFile>> {
  const names = (await readdir(folder)).filter((name) => !name.endsWith('.gz'))
  const files = await Promise.all(
    names.map(async (name) => [name, await readStaticFile(folder, name)] as const),
  )
  return new Map(files)
}

async function readStaticFile(folder: string, name: string): Promise<StaticFile> {
  const plain = await readFile(join(folder, name))
  const gzipped = await readFile(join(folder, `${name}.gz`)).catch(ifMissing(undefined))
  return {
    contentType: contentTypes[extname(name)] ?? 'application/octet-stream',
    plain: representationOf(plain),
    gzipped: gzipped && representationOf(gzipped),
  }
}

function representationOf(body: Buffer): Representation {
  return { body, etag: `"${createHash('sha256').update(body).digest('base64url').slice(0, 22)}"` }
}
