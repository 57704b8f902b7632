import fc from 'fast-check'
import type { Entity, FeatureService, FeatureView, JoinKey, Registry } from '../../src/registry/registry.ts'
import type { Operation } from './run-operation.ts'
import { bigId } from './small-world.ts'

/** What a random operation is made of: graphql-jit takes each of the two, but not both together. */
export interface Ingredients {
  readonly conditions: boolean
  readonly fragments: boolean
}

const keyLiterals: Readonly<Record<JoinKey['type'], readonly string[]>> = {
  int32: ['1', '2', '-3'],
  int64: ['1', '2', `"${bigId}"`, bigId],
  string: ['""', '"x"', '"{,%}"'],
  uuid: ['"123E4567-e89b-12d3-a456-426614174000"'],
}

/** Names that meet when joined by _, as graphql-jit joins them, and names with a meaning elsewhere. */
const aliases = ['', '', 'a', 'b', 'a_b', 'b_a', 'constructor', '_']

const conditionTexts = [
  ...['@include(if: $yes)', '@skip(if: $yes)', '@include(if: $no)', '@skip(if: $no)'],
  ...['@skip(if: $byDefault)', '@include(if: $byDefault)', '@include(if: $yes) @skip(if: $no)'],
  ...['@include(if: true)', '@skip(if: true)', '@skip(if: false)'],
]

const variableTypes = {
  yes: 'Boolean!',
  no: 'Boolean!',
  byDefault: 'Boolean = true',
  age: 'Duration',
  asOf: 'Timestamp',
  knownAt: 'Timestamp',
} as const

const arbitraryVariables = fc.record(
  {
    yes: fc.boolean(),
    no: fc.boolean(),
    byDefault: fc.boolean(),
    age: fc.constantFrom('1s', '45m', '2h', null),
    asOf: fc.constantFrom('2026-11-23T11:30:00Z', '2026-11-23T12:29:59.999999+01:00', null),
    knownAt: fc.constantFrom('2026-11-23T11:00:00Z', null),
  },
  { requiredKeys: ['yes', 'no'] },
)

let serial = 0

/** Valid operations over a registry, each with its own name, so that no server has seen its text before. */
export function arbitraryOperation(registry: Registry, ingredients: Ingredients): fc.Arbitrary<Operation> {
  const condition = ingredients.conditions
    ? fc.oneof({ weight: 2, arbitrary: fc.constant('') }, fc.constantFrom(...conditionTexts))
    : fc.constant('')
  const selections = selectionWriter(condition, ingredients.fragments)
  const fragments = registry.entities.flatMap((entity) =>
    [0, 1, 2].map((level) =>
      selections
        .entity(entity, level + 1)
        .map((body): [string, string] => [fragmentName(entity, level), `on ${entity.typeName} ${body}`]),
    ),
  )
  const root = fc.oneof(
    ...registry.entities.map((entity) => selections.entityRoot(entity)),
    ...registry.services.map((service) => selections.serviceRoot(service)),
  )
  return fc
    .tuple(fc.uniqueArray(root, { minLength: 1, maxLength: 3 }), fc.tuple(...fragments), arbitraryVariables)
    .map(([roots, bodies, variables]) => {
      const used = new Set<string>()
      const bodyOf = new Map(bodies)
      const collect = (text: string): void => {
        for (const [, name = ''] of text.matchAll(/\.\.\.(F\w+)/g)) {
          if (used.has(name)) continue
          used.add(name)
          collect(bodyOf.get(name) ?? '')
        }
      }
      const main = `{ ${roots.map((text, index) => text.replace('ROOT', `r${index}`)).join(' ')} }`
      collect(main)
      const text = [main, ...[...used].map((name) => `fragment ${name} ${bodyOf.get(name)}`)].join('\n')
      const names = Object.keys(variableTypes).filter((name) => text.includes(`$${name}`))
      const declared = Object.entries(variableTypes).flatMap(([name, type]) =>
        names.includes(name) ? [`$${name}: ${type}`] : [],
      )
      serial += 1
      return {
        query: `query Random${serial}${declared.length === 0 ? '' : `(${declared.join(', ')})`} ${text}`,
        variables: Object.fromEntries(Object.entries(variables).filter(([name]) => names.includes(name))),
      }
    })
}

function fragmentName(entity: Entity, level: number): string {
  return `F${entity.typeName}${level}`
}

function selectionWriter(condition: fc.Arbitrary<string>, withFragments: boolean) {
  const conditional = (texts: readonly string[]): fc.Arbitrary<string> =>
    fc.tuple(fc.constantFrom(...texts), condition).map(([text, when]) => {
      const [name = '', ...selection] = text.split(/(?= \{)/)
      return [name, when, ...selection].join(' ')
    })

  const braced = (items: fc.Arbitrary<string>, maxLength: number): fc.Arbitrary<string> =>
    fc.array(items, { minLength: 1, maxLength }).map((texts) => `{ ${texts.join(' ')} }`)

  const inline = (items: fc.Arbitrary<string>): fc.Arbitrary<string>[] =>
    withFragments ? [fc.tuple(condition, braced(items, 2)).map(([when, body]) => `... ${when} ${body}`)] : []

  function view({ graphqlName, features }: FeatureView): fc.Arbitrary<string> {
    const names = features.map((feature) => feature.graphqlName)
    const leaf = fc.oneof(
      conditional([...names, '__typename', `x: ${names[0]}`]),
      conditional(['freshness { status source ageSeconds expiresAt eventTimestamp }']),
      conditional(['freshness { createdTimestamp }']),
    )
    // One alias always carries one argument: two fields of one name could not be merged otherwise.
    const field = fc.constantFrom(
      ...[graphqlName, `a: ${graphqlName}`, `a_b: ${graphqlName}(maxAge: "45m")`],
      ...[`_: ${graphqlName}(maxAge: $age)`, `constructor: ${graphqlName}(maxAge: null)`],
    )
    return fc
      .tuple(field, condition, braced(fc.oneof(leaf, leaf, ...inline(leaf)), 4))
      .map((parts) => parts.join(' '))
      .map((text) => (text.startsWith(graphqlName) ? text : prefixed(graphqlName, text)))
  }

  function entity(of: Entity, level: number): fc.Arbitrary<string> {
    const keys = conditional([...of.joinKeys.map((key) => key.graphqlName), '__typename'])
    const field = fc.oneof(keys, ...of.views.map(view), ...of.views.map(view))
    const spreads =
      withFragments && level < 3
        ? [
            fc
              .tuple(fc.integer({ min: level, max: 2 }), condition)
              .map(([deeper, when]) => `...${fragmentName(of, deeper)} ${when}`),
          ]
        : []
    return braced(fc.oneof(field, field, ...inline(field), ...spreads), 5)
  }

  const rooted = (field: fc.Arbitrary<string>, body: fc.Arbitrary<string>): fc.Arbitrary<string> =>
    fc.tuple(fc.constantFrom(...aliases), field, condition, body).map(([alias, call, when, selection]) => {
      const text = `ROOT${alias}: ${call} ${when} ${selection}`
      return withFragments && alias === 'a' ? `... { ${text} }` : text
    })

  return {
    entity,
    entityRoot: (of: Entity) => rooted(entityCall(of), entity(of, 0)),
    serviceRoot: (service: FeatureService) => serviceRoot(service, rooted, conditional),
  }
}

/** Different views under one alias could not be merged. */
function prefixed(view: string, text: string): string {
  return text.replace(/^(\w+):/, (_, alias: string) => `${view}_${alias}:`)
}

function keyObject(joinKeys: readonly JoinKey[]): fc.Arbitrary<string> {
  return fc
    .tuple(...joinKeys.map(({ type }) => fc.constantFrom(...keyLiterals[type])))
    .map((values) => joinKeys.map((key, index) => `${key.graphqlName}: ${values[index]}`).join(', '))
}

function entityCall({ graphqlName, pluralName, joinKeys }: Entity): fc.Arbitrary<string> {
  const times = fc.constantFrom(
    '',
    ', asOf: $asOf',
    ', knownAt: $knownAt',
    ', asOf: $asOf, knownAt: $knownAt',
  )
  const keys = fc.array(keyObject(joinKeys), { maxLength: 4 })
  const [only] = joinKeys
  const isComposite = joinKeys.length > 1
  const listArgument = `${only?.graphqlName}s`
  const one = keyObject(joinKeys).map((key) => (isComposite ? `key: { ${key} }` : key))
  const list = keys.map((items) =>
    isComposite
      ? `keys: [${items.map((item) => `{ ${item} }`).join(', ')}]`
      : `${listArgument}: [${items.map((item) => item.replace(/^\w+: /, '')).join(', ')}]`,
  )
  const spine = keys.map(
    (items) =>
      `rows: [${items.map((item, index) => `{ ${item}, asOf: "2026-11-23T1${index}:00:00Z", knownAt: $knownAt }`)}]`,
  )
  return fc.oneof(
    fc.tuple(one, times).map((parts) => `${graphqlName}(${parts.join('')})`),
    fc.tuple(list, times).map((parts) => `${pluralName}(${parts.join('')})`),
    spine.map((rows) => `${pluralName}AsOf(${rows})`),
  )
}

function serviceRoot(
  { graphqlName, joinKeys, vector, requests }: FeatureService,
  rooted: (field: fc.Arbitrary<string>, body: fc.Arbitrary<string>) => fc.Arbitrary<string>,
  conditional: (texts: readonly string[]) => fc.Arbitrary<string>,
): fc.Arbitrary<string> {
  const given = requests.map((request) => `, ${request.graphqlName}: 2`).join('')
  const call = fc
    .array(keyObject(joinKeys), { maxLength: 4 })
    .map((keys) => `(keys: [${keys.map((key) => `{ ${key}${given} }`).join(', ')}], asOf: $asOf)`)
  const names = [...joinKeys, ...vector].map((entry) => entry.graphqlName)
  const rowFields = conditional([...names, 'vector', 'names', 'statuses', 'defaulted', '__typename'])
  const columnFields = conditional([...names, 'vectors', 'names', `statuses { ${vector[0]?.graphqlName} }`])
  const braced = (fields: fc.Arbitrary<string>) =>
    fc.array(fields, { minLength: 1, maxLength: 4 }).map((texts) => `{ ${texts.join(' ')} }`)
  return fc.oneof(
    rooted(
      call.map((keys) => `${graphqlName}${keys}`),
      braced(rowFields),
    ),
    rooted(
      call.map((keys) => `${graphqlName}Columns${keys}`),
      braced(columnFields),
    ),
  )
}
