import { type ApolloServer, HeaderMap } from '@apollo/server'
import { LimitExceeded } from '../errors.ts'
import type { GraphContext } from './context.ts'
import { refusal } from './graphql-error.ts'
import type { ApartAnswer, ApartRequest } from './work-gate.ts'

/** The whole answer of a query that was parsed and admitted elsewhere, written; larger than `maxBytes` it is refused. */
export async function answerWhole(
  apollo: ApolloServer<GraphContext>,
  { query, operationName, variables }: ApartRequest,
  context: GraphContext,
  maxBytes: number,
): Promise<ApartAnswer> {
  const response = await apollo.executeHTTPGraphQLRequest({
    httpGraphQLRequest: {
      method: 'POST',
      search: '',
      headers: new HeaderMap([['content-type', 'application/json']]),
      body: { query, variables, ...(operationName === null ? {} : { operationName }) },
    },
    context: async () => context,
  })
  if (response.body.kind !== 'complete') throw new TypeError('an answer in parts was not asked for')
  const body = new TextEncoder().encode(response.body.string)
  if (body.byteLength > maxBytes) return tooLarge(context, body.byteLength, maxBytes)
  return { status: response.status ?? 200, body }
}

function tooLarge({ requestId }: GraphContext, bytes: number, maxBytes: number): ApartAnswer {
  const { message, extensions } = refusal(
    new LimitExceeded(`an answer has at most ${maxBytes} bytes, this one would have ${bytes}; split it`),
  )
  const errors = [{ message, extensions: { code: extensions['code'], requestId } }]
  return { status: 400, body: new TextEncoder().encode(JSON.stringify({ errors })) }
}
