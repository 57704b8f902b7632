import type { TypedDocumentNode } from '@graphql-typed-document-node/core'
import { print } from 'graphql'

const gateway = process.env['GATEWAY'] ?? 'http://localhost:4000/graphql'
const apiKey = process.env['API_KEY']

interface Answer<Data> {
  readonly data?: Data | null
  readonly errors?: readonly { readonly message: string; readonly extensions?: { readonly code?: string } }[]
}

/**
 * One request, typed by its document. Throws where there is no data. Errors beside data are of views that are UNAVAILABLE:
 * their values are null, and a service's vector has its defaults.
 */
export async function ask<Data, Variables>(
  document: TypedDocumentNode<Data, Variables>,
  variables: Variables,
): Promise<Data> {
  const response = await fetch(gateway, {
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      ...(apiKey === undefined ? {} : { authorization: `Bearer ${apiKey}` }),
    },
    body: JSON.stringify({ query: print(document), variables }),
    signal: AbortSignal.timeout(2_000),
  })
  const { data, errors = [] } = (await response.json()) as Answer<Data>
  for (const { message, extensions } of errors) console.warn(`${extensions?.code}: ${message}`)
  if (!data) throw new Error(errors[0]?.message ?? `the gateway answered ${response.status}`)
  return data
}
