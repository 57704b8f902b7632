import type { FastifyReply } from 'fastify'

/** Features are of a moment and of people, so nothing on the way stores an answer; no browser takes one for a page. */
export const everyAnswer = {
  'cache-control': 'no-store',
  'x-content-type-options': 'nosniff',
} as const

/** On every answer; a route that may be cached has said so itself. */
export function addAnswerHeaders(reply: FastifyReply): void {
  if (!reply.hasHeader('cache-control')) reply.header('cache-control', everyAnswer['cache-control'])
  reply.header('x-content-type-options', everyAnswer['x-content-type-options'])
  reply.header('x-request-id', reply.request.id)
}
