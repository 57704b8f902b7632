import { describe, expect, it } from 'vitest'
import { type Attacked, expectRefused, limits, trustedText } from './attacked-gateway.ts'

const list = (count: number, make: (index: number) => string, between = ' '): string =>
  Array.from({ length: count }, (_, index) => make(index)).join(between)
const aliases = (count: number): string => `{ ${list(count, (index) => `a${index}: __typename`)} }`
const ring = (count: number, name: (index: number) => string): string =>
  `{ ...${name(0)} } ${list(count, (index) => `fragment ${name(index)} on Query { ...${name((index + 1) % count)} }`)}`
const nested = (levels: number): string => `{${'a{'.repeat(levels - 1)}b${'}'.repeat(levels - 1)}}`
const lists = (levels: number): string =>
  `{ customers(customerIds: ${'['.repeat(levels)}${']'.repeat(levels)}) { customerId } }`
const keysInText = '{ customers(customerIds: [1, 2]) { customerId } }'

/** The text of a query: what it may hold, what it costs, and what its refusal says. */
export function documentAttacks(attacked: () => Attacked): void {
  const reader = () => attacked().caller('read')
  const setting = (name: string) => `FEATUREGRAPH_DOCUMENT_MAX_${name}`

  describe('a document', () => {
    it('has at most as many aliases as the limit, and one more is refused (check 1)', async () => {
      const caller = reader()
      expect((await caller.ask(aliases(100))).status).toBe(200)
      expectRefused(
        await caller.ask(aliases(101)),
        400,
        'LIMIT_EXCEEDED',
        'at most 100 aliases',
        setting('ALIASES'),
      )
      expectRefused(await caller.ask(aliases(2_000)), 400, 'LIMIT_EXCEEDED')
    })

    it('repeats a field of a selection only so often, since validation compares each with each (check 2)', async () => {
      const caller = reader()
      const repeated = (count: number) => `{ ${'__typename '.repeat(count)} }`
      expect((await caller.ask(repeated(61))).status).toBe(200)
      expectRefused(
        await caller.ask(repeated(62)),
        400,
        'LIMIT_EXCEEDED',
        'at most 60 fields',
        setting('REPEATS'),
      )
      const inside = `{ ${'customer(customerId: 1) { customerId } '.repeat(200)} }`
      const inFragments = `{ ...F0 } ${list(90, (index) => `fragment F${index} on Query { a: __typename }`)}`
      const apart = `{ ${list(62, () => '... on Query { __typename }')} }`
      for (const text of [repeated(5_000), inside, inFragments, apart])
        expectRefused(await caller.ask(text), 400, 'LIMIT_EXCEEDED', setting('REPEATS'))
    })

    it('has at most as many tokens as the limit, whatever they are (check 3)', async () => {
      const caller = reader()
      const directives = (count: number) => `{ __typename ${'@aa '.repeat(count)} }`
      expectRefused(
        await caller.ask(directives(20_000)),
        400,
        'LIMIT_EXCEEDED',
        'at most 2000 tokens',
        setting('TOKENS'),
      )
      const few = await caller.ask(directives(500))
      expectRefused(few, 400, 'GRAPHQL_VALIDATION_FAILED', 'up to 5 problems')
      expect(few.messages).toHaveLength(6)
      const literal = (count: number) => keysInText.replace('[1, 2]', `[${list(count, String, ',')}]`)
      expectRefused(await caller.ask(literal(1_988)), 400, 'LIMIT_EXCEEDED', 'entities')
      expectRefused(await caller.ask(literal(1_989)), 400, 'LIMIT_EXCEEDED', setting('TOKENS'))
    })

    it('has at most as many bytes as the limit, also of comments', async () => {
      const caller = reader()
      const padded = (bytes: number) => `{ __typename } #${'é'.repeat((bytes - 16) / 2)}`
      expect((await caller.ask(padded(100_000))).status).toBe(200)
      expectRefused(
        await caller.ask(padded(100_002)),
        400,
        'LIMIT_EXCEEDED',
        'at most 100000 bytes',
        setting('BYTES'),
      )
      expectRefused(
        await caller.ask(`{ a ${'#\n'.repeat(200_000)} }`),
        400,
        'LIMIT_EXCEEDED',
        setting('BYTES'),
      )
    })

    it('with a ring of fragments is refused in less than 2 kB (check 4)', async () => {
      const caller = reader()
      expectRefused(await caller.ask(ring(2_000, (index) => `F${index}`)), 400, 'LIMIT_EXCEEDED')
      const within = await caller.ask(ring(90, (index) => `F${index}`))
      expectRefused(within, 400, 'GRAPHQL_VALIDATION_FAILED', 'within itself')
      const long = ring(90, (index) => `F${'x'.repeat(400)}${index}`)
      expectRefused(await caller.ask(long), 400, 'GRAPHQL_VALIDATION_FAILED')
      const many = `{ __typename } ${list(100, (index) => `fragment F${index} on T${index} { __typename }`)}`
      expectRefused(
        await caller.ask(many),
        400,
        'LIMIT_EXCEEDED',
        'at most 100 operations and fragments',
        setting('DEFINITIONS'),
      )
    })

    it('with fragments that double at each level is refused by what it selects (check 5)', async () => {
      const bomb = `{ ...F0 } ${list(30, (index) => `fragment F${index} on Query { ...F${index + 1} ...F${index + 1} }`)} fragment F30 on Query { __typename }`
      expectRefused(await reader().ask(bomb), 400, 'GRAPHQL_VALIDATION_FAILED', 'at most 10000 fields')
    })

    it('is nested at most as deeply as the limit, in selections and literals alike (check 6)', async () => {
      const caller = reader()
      expectRefused(await caller.ask(nested(50)), 400, 'GRAPHQL_VALIDATION_FAILED')
      const deep = [51, 3_000, 10_000].flatMap((levels) => [nested(levels), lists(levels)])
      for (const text of [...deep, '{a'.repeat(4_990), '('.repeat(9_000)])
        expectRefused(await caller.ask(text), 400, 'LIMIT_EXCEEDED', 'at most 50 deep', setting('DEPTH'))
      expectRefused(await caller.ask(nested(100_000)), 400, 'LIMIT_EXCEEDED', setting('BYTES'))
    })

    it('that is trusted is held to none of it', async () => {
      const caller = reader()
      expect((await caller.ask(trustedText)).status).toBe(200)
      expectRefused(await caller.ask(`${trustedText} `), 400, 'LIMIT_EXCEEDED')
    })

    it('may ask for nothing of the schema while introspection is off (check 8)', async () => {
      const caller = reader()
      const circular = '{ __schema { types { fields { type { fields { type { name } } } } } } }'
      for (const text of [
        circular,
        '{ __type(name: "Query") { name } }',
        '{ ...F } fragment F on Query { s: __schema { description } }',
      ])
        expectRefused(await caller.ask(text), 400, 'GRAPHQL_VALIDATION_FAILED', 'FEATUREGRAPH_INTROSPECTION')
      expect((await caller.ask('{ __typename }')).status).toBe(200)
    })

    it('is not compiled for texts that come once (check 10)', async () => {
      const compiled = async () =>
        (await metricsOf(attacked())).get('featuregraph_operation_engine_total{event="compiled"}') ?? 0
      const before = await compiled()
      for (let wave = 0; wave < 4; wave += 1) {
        const one = reader()
        const texts = Array.from({ length: 25 }, (_, index) => `query Once${wave}_${index} { __typename }`)
        const answers = await Promise.all(texts.map((text) => one.ask(text)))
        expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([200]))
      }
      expect(await compiled()).toBe(before)
    })

    it('that was not sent before has a budget of time for each caller, and known ones have none (check 11)', async () => {
      const [flooding, other] = [reader(), reader()]
      const known = 'query Known { featureViews { name } }'
      expect((await flooding.ask(known)).status).toBe(200)
      const wrong = (index: number) => `{ ${list(900, (field) => `x${index}_${field}`)} }`
      let refused = await flooding.ask(wrong(0))
      for (let index = 1; refused.status === 400; index += 1) refused = await flooding.ask(wrong(index))
      expectRefused(refused, 429, 'RATE_LIMITED', 'FEATUREGRAPH_DOCUMENT_MS_PER_SECOND')
      expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(0)
      expect((await flooding.ask(known)).status).toBe(200)
      expect((await flooding.ask(trustedText)).status).toBe(200)
      expect((await other.ask('query Other { __typename }')).status).toBe(200)
    })

    it('is counted by its variables at each request, not by those of the first (check 12)', async () => {
      const caller = reader()
      const text =
        'query Cheap($ids: [Int64!]!) { customers(customerIds: $ids) { customerProfile { score } } }'
      const ids = (count: number) => ({ ids: Array.from({ length: count }, (_, index) => index) })
      for (let use = 0; use < 3; use += 1) {
        expect((await caller.ask(text, ids(1))).status).toBe(200)
        const answer = await caller.ask(text, ids(limits.entities + 1))
        expectRefused(answer, 400, 'LIMIT_EXCEEDED', `at most ${limits.entities} entities`)
      }
    })

    it('gets no suggestion while those are off, in literals or in variables (check 40)', async () => {
      const caller = reader()
      const wrong = [
        await caller.ask('{ customr(customerId: 1) { customerId } }'),
        await caller.ask('{ customer(customerId: 1, customrId: 1) { customerId } }'),
        await caller.ask('{ customer(customerId: 1) { customerProfil { score } } }'),
        await caller.ask('{ runs(kind: IMPROT) { nodes { id } } }'),
        await caller.ask('query($k: MerchantDeviceKe!) { merchantDevice(key: $k) { deviceId } }', { k: {} }),
        await caller.ask('query($k: MerchantDeviceKey!) { merchantDevice(key: $k) { deviceId } }', {
          k: { merchantId: 'm', deviceId: 1, deviceID: 1 },
        }),
        await caller.ask('query($k: RunKind!) { runs(kind: $k) { nodes { id } } }', { k: 'IMPROT' }),
      ]
      for (const answer of wrong) {
        expect(answer.status).toBe(400)
        expect(answer.text).not.toMatch(/did you mean/i)
        expect(answer.text).not.toMatch(/customerProfile\b|"customer"|IMPORT/)
      }
    })

    it('is not quoted back fifty times over: an answer is small, however large the wrong value is', async () => {
      const caller = reader()
      const row = {
        merchantId: 'm'.repeat(200_000),
        ...Object.fromEntries(Array.from({ length: 60 }, (_, index) => [`x${index}`, 1])),
      }
      const answer = await caller.ask(
        'query($k: MerchantDeviceKey!) { merchantDevice(key: $k) { deviceId } }',
        { k: row },
      )
      expect([answer.status, answer.codes[0]]).toEqual([400, 'BAD_USER_INPUT'])
      expect(answer.text.length).toBeLessThan(60_000)
    })
  })
}

export async function metricsOf({ gateway }: Attacked): Promise<ReadonlyMap<string, number>> {
  const text = await (await fetch(`${gateway.gateway.metricsUrl}/metrics`)).text()
  const samples = text.split('\n').flatMap((line): [string, number][] => {
    const [, name, value] = /^([a-z]\S*(?:\{.*\})?) (\S+)$/i.exec(line) ?? []
    return name === undefined ? [] : [[name, Number(value)]]
  })
  return new Map(samples)
}
