/** Ten features with a history, as many as the limits allow in one request, and one large text. */
export const spendFeatures: readonly string[] = Array.from({ length: 10 }, (_, n) => `spend_${n}`)
export const wideFeatures: readonly string[] = Array.from({ length: 990 }, (_, n) => `w${n}`)

export const customers = 20_000
export const versions = 5
export const wideCustomers = 1_000
export const noteBytes = 900_000

const dayMs = 86_400_000

/** Of each customer's versions, one a day, the last of them an hour ago. */
export function versionTime(base: number, version: number): number {
  return base - 3_600_000 - (versions - 1 - version) * dayMs
}

/** Lines of NDJSON for `POST /push/<view>`. */
export function* spendLines(base: number): Generator<string> {
  for (let version = 0; version < versions; version += 1) {
    for (let id = 1; id <= customers; id += 1) {
      const values = spendFeatures.map((name, n) => [name, ((id * 31 + n * 7 + version) % 100_000) / 100])
      yield line(id, versionTime(base, version), Object.fromEntries(values))
    }
  }
}

export function* wideLines(base: number): Generator<string> {
  for (let id = 1; id <= wideCustomers; id += 1) {
    const values = wideFeatures.map((name, n) => [name, ((id * 17 + n) % 10_000) / 10])
    yield line(id, versionTime(base, 0), Object.fromEntries(values))
  }
}

export function noteLine(base: number): string {
  return line(1, versionTime(base, 0), { note: 'n'.repeat(noteBytes) })
}

function line(id: number, at: number, values: object): string {
  return `${JSON.stringify({ customer_id: id, event_timestamp: new Date(at).toISOString(), ...values })}\n`
}

const camel = (name: string): string => name.replace(/_(.)/g, (_, letter: string) => letter.toUpperCase())
const spend = `customerSpend { ${spendFeatures.map(camel).join(' ')} }`

/** A body of GraphQL over HTTP. */
export interface Body {
  readonly query: string
  readonly variables: Readonly<Record<string, unknown>>
}

export function onlineBody(turn: number, entities: number): Body {
  const ids = Array.from({ length: entities }, (_, n) => 1 + ((turn * 7_919 + n * 104_729) % customers))
  return {
    query: `query Online($ids: [Int64!]!) { customers(customerIds: $ids) { customerId ${spend} } }`,
    variables: { ids },
  }
}

/** A spine: every row at its own time. */
export function spineBody(turn: number, rows: number, base: number): Body {
  const at = (n: number): string =>
    new Date(versionTime(base, (turn + n) % versions) + 1_000 * (n % 3_000)).toISOString()
  return {
    query: `query Spine($rows: [CustomerAsOf!]!) { customersAsOf(rows: $rows) { customerId ${spend} } }`,
    variables: {
      rows: Array.from({ length: rows }, (_, n) => ({
        customerId: 1 + ((turn * 6_007 + n * 15_485) % customers),
        asOf: at(n),
      })),
    },
  }
}

/** The most values that one request may ask for. */
export const wideBody: Body = {
  query: `query Wide($ids: [Int64!]!) { customers(customerIds: $ids) { customerId customerWide { ${wideFeatures.map(camel).join(' ')} } } }`,
  variables: { ids: Array.from({ length: wideCustomers }, (_, n) => n + 1) },
}

/** One large value, so many times: by the same key again, or by aliases. */
export function noteBody(times: number): Body {
  return {
    query: 'query Note($ids: [Int64!]!) { customers(customerIds: $ids) { customerNote { note } } }',
    variables: { ids: Array<number>(times).fill(1) },
  }
}
