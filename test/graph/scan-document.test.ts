import { buildSchema, parse, visit } from 'graphql'
import { expect, it } from 'vitest'
import { scanDocument } from '../../src/graph/scan-document.ts'

const none = { bytes: 1e9, tokens: 1e9, aliases: 1e9, definitions: 1e9, depth: 1e9, repeats: 1e9 }
type Limit = keyof typeof none

/** The least limit under which the text passes. */
function least(text: string, limit: Limit): number {
  let most = 0
  while (scanDocument(text, { ...none, [limit]: most }) !== null) most += 1
  return most
}

const wide = `
  query Wide($ids: [Int!]! = [1, 2], $in: In = { a: { a: [1] } }) @live(if: true) {
    first: customers(ids: $ids, in: { a: 1, b: "x: y" }) { id name ... @include(if: true) { id extra: name } }
    customers { id ... on Customer { id } ...Part }
  }
  fragment Part on Customer @deprecated { id renamed: id }
  query B { fragment on ... { query: mutation } }`

it('counts what the parser finds, in documents of every shape', () => {
  let [aliases, definitions] = [0, 0]
  visit(parse(wide), {
    Field: (node) => {
      if (node.alias) aliases += 1
    },
    OperationDefinition: () => {
      definitions += 1
    },
    FragmentDefinition: () => {
      definitions += 1
    },
  })
  expect([least(wide, 'aliases'), least(wide, 'definitions')]).toEqual([aliases, definitions])
  expect([aliases, definitions]).toEqual([4, 3])
})

it.each<[Limit, number, string]>([
  ['tokens', 3, '{ a }'],
  ['tokens', 3, '# all of it\n{ a # is one\n}'],
  ['tokens', 17, 'query A($b:I){a(b:$b)}'],
  ['bytes', 8, '{ a } #é'.replace(' #', '#')],
  ['depth', 3, '{ a { b { c } } }'],
  ['depth', 4, '{ a(x: [[1]]) }'],
  ['depth', 5, '{ a(x: [[{ y: 1 }]]) }'],
  ['repeats', 0, '{ a { x } b { x } }'],
  ['repeats', 0, '{ a: x b: x }'],
  ['repeats', 1, '{ a: x a: y }'],
  ['repeats', 2, '{ a { x } a { x } }'],
  ['repeats', 1, '{ ... { a } ... on Query @include(if: true) { a } }'],
  ['repeats', 1, 'fragment A on X { a } fragment B on X { a }'],
  ['repeats', 0, 'fragment A on X { a } fragment B on Y { a }'],
  ['repeats', 0, '{ a } query B { a }'],
  ['repeats', 0, '{ a(a: 1, a: { a: a }) @a(a: 1) }'],
])('takes %s: %i for %s', (limit, count, text) => {
  expect(least(text, limit)).toBe(count)
})

it('leaves what is no GraphQL to the parser', () => {
  for (const text of ['', '{', '}}}', '"', '{ a(', '{ a ... }', '...', ':', '@', '\0', '{ a: }', '}{a}'])
    expect(() => scanDocument(text, { ...none, tokens: 100 })).not.toThrow()
  expect(scanDocument('{ a "', none)).toBeNull()
})

it('stops at the limit, whatever stands behind it', () => {
  const endless = `{${' a'.repeat(100)} "`
  expect(scanDocument(endless, { ...none, tokens: 50 })).toBe('tokens')
  expect(scanDocument(endless, { ...none, tokens: 200 })).toBeNull()
  expect(scanDocument('{'.repeat(1_000_000), { ...none, depth: 10 })).toBe('depth')
})

it('lets the introspection of GraphiQL and of code generators pass under the default limits', async () => {
  const { getIntrospectionQuery, introspectionFromSchema } = await import('graphql')
  const { readConfig } = await import('../../src/config/read-config.ts')
  const every = {
    descriptions: true,
    specifiedByUrl: true,
    directiveIsRepeatable: true,
    schemaDescription: true,
  }
  const text = getIntrospectionQuery({ ...every, inputValueDeprecation: true, oneOf: true })
  expect(scanDocument(text, readConfig({}).documentLimits)).toBeNull()
  expect(introspectionFromSchema(buildSchema('type Query { a: Int }'))).toBeDefined()
})
