import { parse } from 'graphql'
import { describe, expect, it } from 'vitest'
import { countSelections } from '../../src/graph/selection-count.ts'
import { smallWorld } from './small-world.ts'

function countOf(text: string): number {
  const document = parse(text)
  const [operation] = document.definitions
  if (operation?.kind !== 'OperationDefinition') throw new TypeError('the first definition is no operation')
  return countSelections(document, operation)
}

describe('the number of fields that an operation selects', () => {
  it('counts a fragment at every place, aliases each', () => {
    expect(countOf('{ a { b c } }')).toBe(3)
    expect(countOf('{ a { ...F x: b ... { c } } d { ...F } } fragment F on T { b c }')).toBe(8)
    expect(countOf('{ a { ...F } } fragment F on T { b { ...G } ...G } fragment G on T { c d }')).toBe(6)
  })
})

describe('a request for too many values', () => {
  const aliases = Array.from({ length: 1_100 }, (_, index) => `a${index}: customerId`).join(' ')
  const query = `query ($ids: [Int64!]!) { customers(customerIds: $ids) { ${aliases} } }`
  const ids = (length: number) => Array.from({ length }, (_, index) => index)

  it('is refused before anything is read, each time it comes', async () => {
    const world = await smallWorld()
    for (let use = 1; use <= 3; use += 1) {
      const { data, errors } = await world.run({ query, variables: { ids: ids(1_000) } })
      expect(data).toBeUndefined()
      expect(errors).toMatchObject([
        {
          message:
            'a request may ask for at most 1000000 values, 1101000 came (1000 entities, 1101 fields); split it',
          extensions: { code: 'LIMIT_EXCEEDED' },
        },
      ])
    }
    expect(world.reads.online).toEqual([])
  })

  it('is answered in smaller parts', async () => {
    const { data, errors } = await (await smallWorld()).run({ query, variables: { ids: ids(10) } })
    expect(errors).toBeUndefined()
    expect(data?.['customers']).toHaveLength(10)
  })
})
