import { parseDuration } from '../../definitions/duration.ts'
import { InvalidConfig, type Problem } from '../../errors.ts'

const mechanisms = {
  plain: 'PLAIN',
  'scram-sha-256': 'SCRAM-SHA-256',
  'scram-sha-512': 'SCRAM-SHA-512',
} as const

export interface KafkaAddress {
  readonly brokers: readonly { readonly host: string; readonly port: number }[]
  readonly tls: boolean
  readonly sasl: {
    readonly mechanism: (typeof mechanisms)[keyof typeof mechanisms]
    readonly username: string
    readonly password: string
  } | null
  /** How long a consumer may be silent before the others of its group get its partitions; null: the usual time. */
  readonly sessionTimeoutMs: number | null
}

const form = 'kafka://user:password@host:port,host:port?tls=true&sasl=scram-sha-512'
const parameters = ['tls', 'sasl', 'session-timeout']
/** The longest is what brokers allow as they come; they also refuse less than 6 s, unless they are configured otherwise. */
const sessionMs = { shortest: 1_000, longest: 1_800_000 }

/**
 * `kafka://user:password@host:port,host:port?tls=true&sasl=scram-sha-512&session-timeout=6s` → where and how to connect.
 * The port is 9092 unless given; user and password are percent-encoded; `sasl` is scram-sha-512 where a user is given
 * without it; `session-timeout` is from 1s to 30m, within what the broker allows (6s to 30m, as it comes).
 * @throws InvalidConfig with all problems at once, `name` as their path; shows nothing of the URL, since a password may stand anywhere in a wrong one.
 */
export function parseKafkaUrl(url: string, name: string): KafkaAddress {
  const problems: Problem[] = []
  const problem = (message: string): void => {
    problems.push({ path: name, message })
  }
  const parts = /^kafka:\/\/(?:(?<login>.*)@)?(?<hosts>[^@?/#]*)\/?(?:\?(?<query>[^#]*))?$/s.exec(url)?.groups
  if (parts === undefined) {
    problem(`expected ${form}`)
    throw new InvalidConfig(problems)
  }
  const query = new URLSearchParams(parts['query'] ?? '')
  for (const key of new Set(query.keys())) {
    if (!parameters.includes(key)) problem('there are only the parameters tls, sasl and session-timeout')
    else if (query.getAll(key).length > 1) problem(`the parameter ${key} is given more than once`)
  }
  const tls = query.get('tls') ?? 'false'
  if (tls !== 'true' && tls !== 'false') problem('expected tls=true or tls=false')
  const brokers = (parts['hosts'] ?? '').split(',').map((text, index) => {
    const { host, port } =
      /^(?<host>\[[\da-f:.]+\]|[^\s:[\]]+)(?::(?<port>\d{1,5}))?$/i.exec(text)?.groups ?? {}
    const number = Number(port ?? 9092)
    if (host === undefined || number < 1 || number > 65_535)
      problem(`expected host:port as broker ${index + 1}`)
    return { host: (host ?? '').replaceAll(/[[\]]/g, ''), port: number }
  })
  const sasl = parseLogin(parts['login'], query.get('sasl'), problem)
  const sessionTimeoutMs = parseSessionTimeout(query.get('session-timeout'), problem)
  if (problems.length > 0) throw new InvalidConfig(problems)
  return { brokers, tls: tls === 'true', sasl, sessionTimeoutMs }
}

function parseSessionTimeout(text: string | null, problem: (message: string) => void): number | null {
  if (text === null) return null
  const ms = (parseDuration(text) ?? 0) / 1_000
  if (ms >= sessionMs.shortest && ms <= sessionMs.longest) return ms
  problem('expected session-timeout to be a duration from 1s to 30m, as session-timeout=6s')
  return null
}

function parseLogin(
  login: string | undefined,
  named: string | null,
  problem: (message: string) => void,
): KafkaAddress['sasl'] {
  const mechanism = Object.entries(mechanisms).find(([name]) => name === (named ?? 'scram-sha-512'))?.[1]
  if (mechanism === undefined) problem(`expected sasl=${Object.keys(mechanisms).join(', sasl=')}`)
  if (login === undefined) {
    if (named !== null) problem('sasl needs a user and a password, as kafka://user:password@host:port')
    return null
  }
  const colon = login.indexOf(':')
  const [username, password] = [login.slice(0, Math.max(colon, 0)), login.slice(colon + 1)].map(decoded)
  if (colon < 0 || !username || !password) {
    problem('expected user:password before the @, percent-encoded')
    return null
  }
  return { mechanism: mechanism ?? 'SCRAM-SHA-512', username, password }
}

function decoded(text: string): string | null {
  try {
    return decodeURIComponent(text)
  } catch {
    return null
  }
}
