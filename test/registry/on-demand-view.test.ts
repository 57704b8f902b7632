import { entity, featureService, featureView, onDemandView, request } from 'featuregraph'
import { describe, expect, it } from 'vitest'
import { InvalidDefinitions } from '../../src/errors.ts'
import { buildRegistry } from '../../src/registry/build-registry.ts'
import { registryDigest } from '../../src/registry/registry-digest.ts'
import { changesBetween } from '../../src/registry/versions/changes.ts'
import { nextContent } from '../../src/registry/versions/resolve-identities.ts'
import {
  decodeContent,
  encodeContent,
  formatOf,
  registryOf,
} from '../../src/registry/versions/version-content.ts'

const customer = entity('customer', { joinKeys: { customer_id: 'int64' } })
const shop = entity('shop', { joinKeys: { shop_id: 'string' } })
const spent = featureView('spent', { entity: customer, features: { mean_30d: 'float64', city: 'string' } })
const sold = featureView('sold', { entity: shop, features: { mean_30d: 'float64' } })
const amount = request('amount', 'float64')
const compared = onDemandView('compared', {
  description: 'The amount beside what is usual',
  inputs: [spent.pick('mean_30d'), amount],
  features: { ratio: 'float64' },
  compute: ({ amount: own, mean_30d }) => ({ ratio: own === null || !mean_30d ? null : own / mean_30d }),
})
const score = featureService('score', [compared.pick('ratio'), spent.pick('mean_30d')])

/** With the digest of a file in which it stands. */
function fileOf(module: string, ...values: readonly unknown[]) {
  return values.map((value, index) => ({ path: `fraud.ts: ${index}`, value, module }))
}

function problemsOf(...values: readonly unknown[]): readonly string[] {
  try {
    buildRegistry(fileOf('m', customer, spent, ...values))
  } catch (error) {
    if (!(error instanceof InvalidDefinitions)) throw error
    return error.problems.map(({ path, message }) => `${path.replace(/ \(fraud.*/, '')}: ${message}`)
  }
  return []
}

/** A definition as its data, changed in ways that the compiler would not let through. */
function changed(options: object): object {
  return { ...compared, ...options }
}

describe('an on-demand view', () => {
  it('is of the entity of what is picked, and stands apart from the views that are stored', () => {
    const registry = buildRegistry(fileOf('m', customer, spent, compared, score))
    expect(registry.views.map(({ name }) => name)).toEqual(['spent'])
    expect(registry.onDemandViews).toMatchObject([
      {
        ...{ kind: 'ON_DEMAND', name: 'compared', graphqlName: 'compared', module: 'm' },
        inputs: [
          { kind: 'feature', name: 'mean_30d' },
          { kind: 'request', name: 'amount' },
        ],
      },
    ])
    expect(registry.onDemandViews[0]?.entity).toBe(registry.entities[0])
    expect(registry.entities[0]?.onDemandViews).toEqual(registry.onDemandViews)
    expect(registry.services[0]).toMatchObject({
      vector: [{ kind: 'on-demand', name: 'ratio' }, { kind: 'feature' }],
      requests: [{ name: 'amount', optional: false }],
    })
  })

  it('is refused with every problem at once', () => {
    expect(
      problemsOf(
        sold,
        shop,
        changed({ name: 'a', compute: 'input => ({})' }),
        changed({ name: 'b', compute: async () => ({ ratio: 1 }) }),
        changed({
          name: 'c',
          inputs: [
            { kind: 'pick', view: 'spend', features: [{ name: 'mean_30d' }] },
            {
              kind: 'pick',
              view: 'spent',
              features: [{ name: 'median_30d' }, { name: 'mean_30d', default: 1 }],
            },
            { kind: 'pick', view: 'compared', features: [{ name: 'ratio' }] },
            request('mean_30d', 'float64'),
            request('customer_id', 'int64'),
            request('currency', 'string', { default: 1 }),
          ],
        }),
        changed({ name: 'd', inputs: [spent.pick('mean_30d'), sold.pick('mean_30d')] }),
        changed({ name: 'e', inputs: [amount] }),
        changed({ name: 'f', inputs: [amount], entity: 'costumer' }),
        changed({ name: 'g', features: { status: 'float64', constructor: 'float64' } }),
        changed({ name: 'spent' }),
        compared,
      ),
    ).toEqual([
      'feature view a.compute: compute is a function of the inputs, as (input) => ({ … })',
      'feature view b.compute: compute is a plain function, which answers at once; an async function or a generator came. What has to be waited for is an input',
      'feature view spent: the name "spent" is taken by fraud.ts: 1; rename one of them',
      'feature view c.inputs[0]: there is no feature view "spend" among the exported definitions; did you mean "spent"?',
      'feature view c.inputs[1] (spent.median_30d): feature view "spent" has no feature "median_30d"; did you mean "mean_30d"?',
      'feature view c.inputs[1] (spent.mean_30d): an input has no default: the function is given null; leave it out',
      'feature view c.inputs[2]: "compared" is an on-demand view, which is no input of another; call a function that both share',
      'feature view c.inputs[5] (request currency): a default of a string without U+0000 and lone surrogates was expected, 1 came',
      'feature view c.inputs: two inputs are named "mean_30d"; rename the request value',
      'feature view c.inputs: "customer_id" is a join key of entity "customer"; rename the request value',
      "feature view d.inputs: two inputs are named \"mean_30d\"; pick it as { name: 'mean_30d', as: 'another_name' }",
      'feature view d.inputs: an on-demand view is of one entity, its inputs are of "customer" and "shop"; make one for each',
      'feature view e.entity: without a picked feature it is not known whose features these are; name the entity',
      'feature view f.entity: there is no entity "costumer" among the exported definitions; did you mean "customer"?',
      'feature view g.features.status: "status" is a reserved name among the fields of G; set graphqlName to another name',
      'feature view g.features.constructor: "constructor" means something to JavaScript objects; rename it or set graphqlName to another name',
      'feature view g.features.constructor: "constructor" means something to JavaScript objects; rename it',
    ])
  })

  it('has request values that a service merges where they are equal, and refuses where they are not', () => {
    const services = (own: ReturnType<typeof request>) => [
      compared,
      featureService('score', [compared.pick('ratio'), own]),
    ]
    const registry = buildRegistry(
      fileOf('m', customer, spent, ...services(request('amount', 'float64', { default: 3 }))),
    )
    expect(registry.services[0]?.requests).toMatchObject([{ name: 'amount', default: 3, optional: false }])
    expect(problemsOf(...services(request('amount', 'float32')))).toEqual([
      'feature service score.features: request value "amount" of feature view "compared" is float64 (amount), another of this service is float32 (amount); rename one of them',
    ])
    expect(
      problemsOf(compared, featureService('score', [compared.pick({ name: 'ratio', as: 'amount' })])),
    ).toEqual([
      'feature service score (request amount of an on-demand view): "amount" is taken among the fields of Score by feature service score (amount); rename one of them or set graphqlName to another name',
    ])
  })
})

describe('a stored version with an on-demand view', () => {
  const definitions = [customer, spent, compared, score]
  const content = nextContent(null, fileOf('m1', ...definitions))
  const stored = decodeContent(encodeContent(content), formatOf(content))

  it('holds what its function is found by, and no function; older programs are kept from it', () => {
    expect(stored.definitions[2]).toMatchObject({ compute: { module: 'm1' } })
    expect(registryOf(stored).onDemandViews[0]).toMatchObject({ module: 'm1' })
    expect(formatOf(content)).toBe(2)
    expect(formatOf({ definitions: stored.definitions.slice(0, 2) })).toBe(1)
    const loaded = buildRegistry(fileOf('m1', ...definitions))
    expect(registryDigest(registryOf(stored))).toBe(registryDigest(loaded))
  })

  it('differs from one whose file is another: for models only where the function is', () => {
    const otherFile = nextContent(stored, fileOf('m2', ...definitions))
    const place = 'feature view compared'
    expect(changesBetween(stored, otherFile)).toEqual([
      {
        ...{ place, how: 'changed', breaks: [] },
        text: 'the file of its function, or one that this imports, changed; the text of the function is the same',
      },
    ])
    const other = changed({ compute: () => ({ ratio: 1 }) })
    const otherFunction = nextContent(stored, fileOf('m2', customer, spent, other, score))
    expect(changesBetween(stored, otherFunction)).toEqual([
      { place, how: 'changed', text: 'computed otherwise: its function changed', breaks: ['models'] },
    ])
    const unserved = nextContent(null, fileOf('m1', customer, spent, compared))
    const breaks = changesBetween(unserved, nextContent(unserved, fileOf('m2', customer, spent, other)))
    expect(breaks.map((one) => one.breaks)).toEqual([[]])
  })

  it('says which inputs and request values come and go, and whom that breaks', () => {
    const other = changed({
      inputs: [
        { kind: 'pick', view: 'spent', features: [{ name: 'mean_30d' }, { name: 'city' }] },
        request('sum', 'float64'),
        request('discount', 'float64', { default: 0 }),
      ],
    })
    const next = nextContent(stored, fileOf('m1', customer, spent, other, score))
    expect(changesBetween(stored, next).map(({ place, text, breaks }) => [place, text, breaks])).toEqual([
      ['feature view compared', 'input city added (spent.city)', []],
      ['feature view compared', 'input sum added (request value float64)', ['graphql']],
      ['feature view compared', 'input discount added (request value float64)', []],
      ['feature view compared', 'input amount removed', ['graphql']],
      [
        'feature service score',
        'request value sum added (float64, of an on-demand view)',
        ['graphql', 'services'],
      ],
      ['feature service score', 'request value discount added (float64, of an on-demand view)', []],
      ['feature service score', 'request value amount removed', ['graphql', 'services']],
    ])
  })
})
