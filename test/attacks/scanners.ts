import { describe, expect, it } from 'vitest'
import type { Attacked } from './attacked-gateway.ts'

/** What the twelve checks of graphql-cop send, and by what answer each reports a finding. */
export function scannerChecks(attacked: () => Attacked): void {
  describe('the twelve checks of graphql-cop', () => {
    const scanner = () => attacked().caller('read')
    const dataOf = (text: string): unknown => (JSON.parse(text) as { data?: unknown }).data ?? null
    const get = (query: string) => `/graphql?query=${encodeURIComponent(query)}`

    it('find nothing', async () => {
      const caller = scanner()
      const aliases = await caller.ask(
        `query cop { ${Array.from({ length: 101 }, (_, index) => `alias${index}:__typename`).join(' ')} }`,
      )
      const batch = await caller.post(JSON.stringify(Array(10).fill({ query: 'query cop { __typename }' })))
      const directives = await caller.ask(`query cop { __typename ${'@aa'.repeat(10)} }`)
      const circular = await caller.ask(
        `query cop { __schema { types { fields { type { fields { type { fields { type { name } } } } } } } } }`,
      )
      const duplication = await caller.ask(`query cop { ${'__typename \n'.repeat(500)} }`)
      const suggestion = await caller.ask('query cop { __schema { directive } }')
      const byGet = await caller.fetch(get('query cop {__typename}'))
      const mutationByGet = await caller.fetch(get('mutation cop {__typename}'))
      const page = await caller.fetch('/graphql', { headers: { accept: 'text/html' } })
      const introspection = await caller.ask('query cop { __schema { types { name fields { name } } } }')
      const form = await caller.post('query=query+cop+%7B__typename%7D', {
        'content-type': 'application/x-www-form-urlencoded',
      })
      const trace = await caller.ask('query cop { __typename }')
      const unhandled = await caller.ask('qwerty cop { abc }')
      const findings = {
        aliases: dataOf(aliases.text) !== null,
        batch: batch.text.startsWith('['),
        directives: directives.codes.length >= 10,
        circular: dataOf(circular.text) !== null,
        duplication: dataOf(duplication.text) !== null,
        suggestion: /did you mean/i.test(suggestion.text),
        byGet: byGet.status === 200,
        mutationByGet: mutationByGet.status === 200,
        page: /graphiql|playground/i.test(page.text),
        introspection: dataOf(introspection.text) !== null,
        form: form.status === 200,
        trace: /tracing/.test(trace.text),
        unhandled: /exception|stacktrace/i.test(unhandled.text),
      }
      expect(Object.entries(findings).filter(([, found]) => found)).toEqual([])
      expect(trace.status).toBe(200)
    })
  })
}
