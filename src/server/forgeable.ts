import type { FastifyRequest } from 'fastify'

/** Content types that a browser sends to another origin without asking it first. */
const simpleTypes = new Set(['application/x-www-form-urlencoded', 'multipart/form-data', 'text/plain'])

export const forgeableMessage =
  'expected POST; a GET needs the header apollo-require-preflight: true, which a page of another origin cannot send unasked. In urql set preferGetMethod: false'

/**
 * A GET that a browser would send for a page of any origin (CSRF): Apollo's own rule, which would answer in words about
 * Apollo's settings.
 */
export function isForgeable({ method, headers }: Pick<FastifyRequest, 'method' | 'headers'>): boolean {
  if (method !== 'GET') return false
  if (headers['apollo-require-preflight'] || headers['x-apollo-operation-name']) return false
  const [type = ''] = (headers['content-type'] ?? '').split(';')
  return type.trim() === '' || simpleTypes.has(type.trim().toLowerCase())
}
