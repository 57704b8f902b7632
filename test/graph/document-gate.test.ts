import { expect, it } from 'vitest'
import { LimitExceeded, RateLimited } from '../../src/errors.ts'
import { type DocumentGateOptions, documentGate } from '../../src/graph/document-gate.ts'

const limits = { bytes: 1_000, tokens: 10, aliases: 1, definitions: 2, depth: 5, repeats: 1 }

/** Payers that have spent what they had. */
function gate(options: Partial<DocumentGateOptions> = {}) {
  const poor = new Set<string>()
  const spent: string[] = []
  const budget = {
    waitMs: (payer: string) => (poor.has(payer) ? 2_500 : 0),
    spend: (payer: string) => spent.push(payer),
  }
  return { poor, spent, gate: documentGate({ limits, trusted: new Set(), budget, ...options }) }
}

it('refuses a document over a limit, which costs its payer all the same', () => {
  const { gate: documents, spent } = gate()
  expect(() => documents.admit('{ a: b c: d }', 'payer')).toThrow(LimitExceeded)
  expect(() => documents.admit('{ a: b }', 'payer')).not.toThrow()
  expect(spent).toEqual(['payer', 'payer'])
})

it('lets a payer without time send what was valid before and what is trusted, and nothing else', () => {
  const { gate: documents, poor, spent } = gate({ trusted: new Set(['{ trusted }']) })
  documents.isValid('{ known }', true)
  poor.add('payer')
  for (const text of ['{ known }', '{ trusted }']) documents.admit(text, 'payer')
  expect(spent).toEqual([])
  expect(() => documents.admit('{ new }', 'payer')).toThrow(RateLimited)
  expect(() => documents.admit('{ new }', 'payer')).toThrow(expect.objectContaining({ retryAfterSeconds: 3 }))
  expect(() => documents.admit('{ new }', 'other')).not.toThrow()
  // As after a new version of the registry.
  documents.isValid('{ known }', false)
  expect(() => documents.admit('{ known }', 'payer')).toThrow(RateLimited)
})

it('forgets texts by their bytes, those that were used last the last', () => {
  const { gate: documents, poor } = gate()
  poor.add('payer')
  const large = (index: number) => `${index}${' '.repeat(1_048_576)}`
  documents.isValid('{ used }', true)
  for (let index = 0; index < 20; index += 1) {
    documents.isValid(large(index), true)
    documents.admit('{ used }', 'payer')
  }
  expect(() => documents.admit(large(0), 'payer')).toThrow(RateLimited)
  expect(() => documents.admit(large(19), 'payer')).not.toThrow()
})
