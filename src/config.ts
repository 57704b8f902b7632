import { readFileSync } from 'node:fs'
import { isIPv4 } from 'node:net'
import { availableParallelism } from 'node:os'
import path from 'node:path'
import { parseEnv } from 'node:util'
import { z } from 'zod'
import { parseDuration } from './definitions/duration.ts'
import type { Micros } from './definitions/timestamp.ts'
import { errorCode, InvalidConfig, type Problem } from './errors.ts'
import { nearest } from './registry/suggest.ts'
import { type LakeAccess, readS3Access } from './stores/lake-access.ts'

const prefix = 'FEATUREGRAPH_'

export const batchEngines = ['postgres', 'duckdb', 'spark'] as const
export type BatchEngine = (typeof batchEngines)[number]

function url(protocols: readonly string[]) {
  const expected = `expected a URL that starts with ${protocols.map((name) => `${name}://`).join(' or ')}`
  return z
    .string()
    .refine((text) => URL.canParse(text) && protocols.some((name) => text.startsWith(`${name}://`)), expected)
}

function whole(minimum: number, maximum: number) {
  const expected = `expected a whole number from ${minimum} to ${maximum}`
  return z
    .string()
    .regex(/^\d{1,15}$/, expected)
    .transform(Number)
    .refine((value) => value >= minimum && value <= maximum, expected)
}

const flag = z
  .enum(['true', 'false'], { error: 'expected true or false' })
  .transform((text) => text === 'true')

const duration = z.string().transform((text, context): Micros => {
  const micros = parseDuration(text)
  if (micros !== null && micros > 0) return micros
  context.addIssue('expected a duration, as 12h or 3d')
  return z.NEVER
})

/** Origins as browsers send them: scheme, host and a port that is not the scheme's own. */
const origins = z.string().transform((text, context): readonly string[] => {
  const listed = text.split(',').map((origin) => origin.trim())
  if (listed.length === 1 && listed[0] === '*') return listed
  const isOrigin = (one: string): boolean =>
    /^https?:[^*]+$/.test(one) && URL.canParse(one) && new URL(one).origin === one
  if (listed.every(isOrigin)) return listed
  context.addIssue(
    'expected origins as https://app.example.com,http://localhost:3000 (no path, no slash at the end), or * for any',
  )
  return z.NEVER
})

const settings = z.object({
  HOST: z.string().min(1).default('127.0.0.1'),
  PORT: whole(0, 65_535).default(4_000),
  OFFLINE_URL: url(['postgres', 'postgresql']).optional(),
  ONLINE_URL: z
    .union([z.literal('memory:'), url(['redis', 'rediss', 'postgres', 'postgresql'])], {
      error: 'expected redis://…, rediss://…, postgres://… or memory:',
    })
    .optional(),
  ONLINE_EVICTION: z.literal('none', { error: 'expected none, or no such variable' }).optional(),
  ONLINE_FALLBACK: z.literal('offline', { error: 'expected offline, or no such variable' }).optional(),
  ONLINE_FALLBACK_CONCURRENCY: whole(1, 1_000).default(4),
  ONLINE_VERIFY_MISSES: flag.default(false),
  STREAM_URL: z
    .string()
    .regex(
      /^(?:memory:|kafka:\/\/.+)$/,
      'expected memory:, or kafka://host:port,host:port with ?tls=true and ?sasl=scram-sha-512 where needed',
    )
    .optional(),
  METRICS_PORT: whole(0, 65_535).optional(),
  PROJECT: z
    .string()
    .regex(/^[a-z][a-z0-9_]{0,30}$/, 'expected lower case letters, digits and _, a letter first, at most 31')
    .default('default'),
  SCHEMA: z.string().min(1).default('schema'),
  APPLIED_BY: z.string().min(1).max(200).optional(),
  DATA: z.string().min(1).default('.featuregraph'),
  API_KEYS_FILE: z.string().min(1).optional(),
  ALLOW_ANONYMOUS: flag.default(false),
  DEMO: flag.optional(),
  WORKER: flag.optional(),
  RECOMPUTE: duration.prefault('3d'),
  BATCH_ENGINE: z.enum(batchEngines, { error: `expected ${batchEngines.join(', ')}` }).default('postgres'),
  CORS_ORIGINS: origins.optional(),
  DRAIN_MS: whole(0, 600_000).optional(),
  MAX_ENTITIES: whole(1, 1_000_000).default(1_000),
  MAX_BODY_BYTES: whole(1_024, 1_073_741_824).default(1_048_576),
  MAX_ANSWER_BYTES: whole(4_194_304, 268_435_456).default(33_554_432),
  ONLINE_CONCURRENCY: whole(2, 100_000).default(256),
  AS_OF_CONCURRENCY: whole(2, 1_000).default(8),
  INGESTION_CONCURRENCY: whole(2, 1_000).default(32),
  ANSWER_THREADS: whole(0, 64).optional(),
  RATE_REQUESTS: whole(0, 1_000_000).optional(),
  RATE_ENTITIES: whole(0, 1_000_000_000).optional(),
  MAX_CONNECTIONS: whole(1, 1_000_000).default(10_000),
  DOCUMENT_MAX_BYTES: whole(100, 1_073_741_824).default(100_000),
  DOCUMENT_MAX_TOKENS: whole(10, 1_000_000).default(2_000),
  DOCUMENT_MAX_ALIASES: whole(0, 1_000_000).default(100),
  DOCUMENT_MAX_DEFINITIONS: whole(1, 1_000_000).default(100),
  DOCUMENT_MAX_DEPTH: whole(2, 1_000).default(50),
  DOCUMENT_MAX_REPEATS: whole(0, 1_000_000).default(60),
  DOCUMENT_MS_PER_SECOND: whole(0, 1_000).optional(),
  TRUSTED_DOCUMENTS: z.string().min(1).optional(),
  GRAPHIQL: flag.optional(),
  INTROSPECTION: flag.optional(),
  SUGGESTIONS: flag.optional(),
  AUDIT: z.enum(['log', 'table'], { error: 'expected log, table, or no such variable' }).optional(),
  AUDIT_RETENTION: duration.prefault('90d'),
  PUSH_RECEIPT_RETENTION: duration.prefault('7d'),
  ONLINE_TIMEOUT_MS: whole(1, 600_000).default(250),
  OFFLINE_TIMEOUT_MS: whole(1, 86_400_000).default(30_000),
  DUCKDB_EXTENSIONS: z.string().min(1).optional(),
  DUCKDB_MEMORY: z
    .string()
    .regex(/^[1-9]\d{0,6}(?:MB|GB)$/, 'expected a size in MB or GB, as 512MB or 2GB')
    .default('2GB'),
  SPARK_SUBMIT: z.string().min(1).default('spark-submit --master local[*]'),
  FILES: z.string().min(1).optional(),
  FILES_MAX_BYTES_PER_KEY: whole(1, 999_999_999_999_999).default(20 * 1_073_741_824),
  SPINE_MAX_BYTES: whole(1, 999_999_999_999_999).default(4 * 1_073_741_824),
  SPINE_MAX_ROWS: whole(1, 1_000_000_000).default(50_000_000),
  TRAINING_ENGINE: z
    .enum(['postgres', 'duckdb', 'spark', 'auto'], { error: 'expected postgres, duckdb, spark or auto' })
    .default('auto'),
  TRAINING_SET_CONCURRENCY: whole(0, 64).default(1),
  TRAINING_SET_MAX_READS: whole(1, 999_999_999_999_999).default(1_000_000_000),
  TRAINING_SET_PART_ROWS: whole(1, 1_000_000_000).default(1_000_000),
  TRAINING_SET_RETENTION: duration.prefault('7d'),
  LOG_LEVEL: z
    .enum(['silent', 'fatal', 'error', 'warn', 'info', 'debug', 'trace'], {
      error: 'expected silent, fatal, error, warn, info, debug or trace',
    })
    .default('info'),
})

/** Every setting, without the prefix. */
export const settingNames: readonly string[] = Object.keys(settings.shape)

const rights = z.enum(['read', 'write', 'train', 'admin'])

const apiKey = z.strictObject({
  name: z.string().min(1),
  sha256: z
    .string()
    .regex(/^[0-9a-f]{64}$/, 'expected the SHA-256 of the key, 64 hexadecimal digits in lower case'),
  rights: z.array(rights).min(1),
})

export type ApiKey = z.output<typeof apiKey>

type DocumentLimit = 'bytes' | 'tokens' | 'aliases' | 'definitions' | 'depth' | 'repeats'

export interface Config {
  readonly host: string
  readonly port: number
  /** Null: the embedded Postgres. */
  readonly offlineUrl: string | null
  /** Null: the offline database holds the online rows too. */
  readonly onlineUrl: string | null
  /** That Redis evicts nothing, for one that does not show its policy. */
  readonly onlineEvictionDeclared: boolean
  /** Views that the online store cannot answer are answered by the offline store, as of now. */
  readonly onlineFallback: boolean
  /** So many such statements run at once. */
  readonly onlineFallbackConcurrency: number
  /** Keys without a row online are looked up offline: the store may evict rows. */
  readonly onlineVerifyMisses: boolean
  /** Null: events come by import and over HTTP only. */
  readonly streamUrl: string | null
  /** Where `featuregraph stream` answers `/metrics`; null: nowhere. The gateway does at its own address. */
  readonly metricsPort: number | null
  readonly project: string
  readonly schemaFolder: string
  /** Who changes the registry, as its versions record it; null: the user of this machine. */
  readonly appliedBy: string | null
  readonly dataFolder: string
  /** Null: no keys file. */
  readonly apiKeys: readonly ApiKey[] | null
  readonly allowAnonymous: boolean
  readonly demo: boolean
  /** Whether the gateway runs a worker too. */
  readonly worker: boolean
  /** How far back the worker computes stale snapshots again. */
  readonly recomputeMicros: Micros
  /** What computes batch snapshots, unless a command names another. */
  readonly batchEngine: BatchEngine
  /** Origins whose pages may read answers; `*` for any. Empty: none but the gateway's own. */
  readonly corsOrigins: readonly string[]
  /** After a signal to end, requests are answered for so long while `/readyz` sends balancers away. */
  readonly drainMs: number
  readonly maxEntities: number
  readonly maxBodyBytes: number
  /** Of one answer, and of the stored rows that one request reads, duplicates counted. */
  readonly maxAnswerBytes: number
  /** Requests of a class of work that run at once; one caller has at most half of them. */
  readonly onlineConcurrency: number
  readonly asOfConcurrency: number
  readonly ingestionConcurrency: number
  /** Threads that answer what is large; 0: the main thread does. */
  readonly answerThreads: number
  /** Of one caller in a second, in this process; null: without a limit. */
  readonly requestsPerSecond: number | null
  readonly entitiesPerSecond: number | null
  readonly maxConnections: number
  /** Of a document that was not seen before. */
  readonly documentLimits: Readonly<Record<DocumentLimit, number>>
  /** Of time for documents that were not seen before, for each caller; 0: it is not counted. */
  readonly documentMsPerSecond: number
  /** By id; held to none of the limits. */
  readonly trustedDocuments: Readonly<Record<string, string>>
  /** Whether the page is served. */
  readonly graphiql: boolean
  readonly introspection: boolean
  /** Whether messages say what a wrong name may have meant. */
  readonly suggestions: boolean
  /** Where it is recorded who changed what, and who was refused; null: nowhere. */
  readonly audit: 'log' | 'table' | null
  readonly auditRetentionMicros: Micros
  /** For so long a push is answered alike by its idempotency key. */
  readonly pushReceiptRetentionMicros: Micros
  readonly onlineTimeoutMs: number
  readonly offlineTimeoutMs: number
  /** Object stores, by the `AWS_…` variables, and DuckDB's extensions. */
  readonly lake: LakeAccess
  /** As `2GB`: what DuckDB may take for feature rows in Parquet files. */
  readonly duckDbMemory: string
  /** The command line that submits to Spark. */
  readonly sparkSubmit: string
  /** Of spines and training sets, shared by all gateways; null: none of them are made over the network. */
  readonly filesFolder: string | null
  readonly filesMaxBytesPerKey: number
  readonly spineMaxBytes: number
  readonly spineMaxRows: number
  /** What joins training sets where nothing else is asked for; `auto`: by size and where the rows stand. */
  readonly trainingEngine: 'postgres' | 'duckdb' | 'spark' | 'auto'
  /** Jobs that this gateway runs at once; 0: others do. */
  readonly trainingSetConcurrency: number
  /** Stored rows that a part may have read, as they are estimated. */
  readonly trainingSetMaxReads: number
  /** Rows of a spine that make one file. */
  readonly trainingSetPartRows: number
  /** For how long spines, and training sets that have ended, are there. */
  readonly trainingSetRetentionMicros: Micros
  readonly logLevel: string
}

/** A balancer of other machines learns within it that the gateway is going; on this machine nothing waits for that. */
const drainMsInNetwork = 5_000

/** Of a caller in a network: about half of what one process answers. On this machine there is none. */
const ratesInNetwork = { requests: 5_000, entities: 500_000 } as const

/** One processor is left to the main thread; each thread takes some 100 MB. */
function defaultThreads(): number {
  return Math.min(4, Math.max(1, availableParallelism() - 1))
}
/** A caller of the network has a fifth of the one thread, at most, for texts that it makes up. */
const documentMsInNetwork = 200

/** Addresses on which only this machine can reach the gateway. */
export function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || (isIPv4(host) && host.startsWith('127.'))
}

/**
 * The environment's FEATUREGRAPH_ variables → settings. An empty variable counts as absent.
 * @throws InvalidConfig with all problems at once; a value is shown only where it can hold no secret.
 */
export function readConfig(environment: Readonly<Record<string, string | undefined>>): Config {
  const problems: Problem[] = []
  const given = ourVariables(environment)
  for (const name of Object.keys(given)) {
    if (!Object.hasOwn(settings.shape, name)) {
      const meant = nearest(name, settingNames)
      const hint = meant === null ? `there are ${settingNames.join(', ')}` : `did you mean ${prefix}${meant}?`
      problems.push({ path: prefix + name, message: `there is no such setting; ${hint}` })
    }
  }
  const parsed = settings.safeParse(given)
  for (const issue of parsed.error?.issues ?? [])
    problems.push({ path: prefix + issue.path.join('.'), message: issue.message })
  // Looked at whatever else is wrong: all problems are reported at once.
  const keysFile = given['API_KEYS_FILE']
  const apiKeys = keysFile === undefined ? null : readApiKeys(keysFile, problems)
  const trustedFile = given['TRUSTED_DOCUMENTS']
  const trustedDocuments = trustedFile === undefined ? {} : readTrustedDocuments(trustedFile, problems)
  const host = given['HOST']
  if (
    host !== undefined &&
    !isLoopback(host) &&
    keysFile === undefined &&
    given['ALLOW_ANONYMOUS'] !== 'true'
  ) {
    const message = `${host} can be reached from other machines: set ${prefix}API_KEYS_FILE, or ${prefix}ALLOW_ANONYMOUS=true to let anyone read`
    problems.push({ path: `${prefix}HOST`, message })
  }
  if (given['CORS_ORIGINS'] === '*' && keysFile === undefined && given['ALLOW_ANONYMOUS'] !== 'true') {
    const message = `with * every page that is open in a browser on this machine could read, write and delete here: name the origins, set ${prefix}API_KEYS_FILE, or ${prefix}ALLOW_ANONYMOUS=true to let anyone read`
    problems.push({ path: `${prefix}CORS_ORIGINS`, message })
  }
  if (!parsed.success || problems.length > 0) throw new InvalidConfig(problems)
  const values = parsed.data
  const isLocal = isLoopback(values.HOST)
  return {
    host: values.HOST,
    port: values.PORT,
    offlineUrl: values.OFFLINE_URL ?? null,
    onlineUrl: values.ONLINE_URL ?? null,
    onlineEvictionDeclared: values.ONLINE_EVICTION === 'none',
    onlineFallback: values.ONLINE_FALLBACK === 'offline',
    onlineFallbackConcurrency: values.ONLINE_FALLBACK_CONCURRENCY,
    onlineVerifyMisses: values.ONLINE_VERIFY_MISSES,
    streamUrl: values.STREAM_URL === 'memory:' ? null : (values.STREAM_URL ?? null),
    metricsPort: values.METRICS_PORT ?? null,
    project: values.PROJECT,
    schemaFolder: values.SCHEMA,
    appliedBy: values.APPLIED_BY ?? null,
    dataFolder: path.resolve(values.DATA),
    apiKeys,
    allowAnonymous: values.ALLOW_ANONYMOUS,
    demo: values.DEMO ?? values.OFFLINE_URL === undefined,
    worker: values.WORKER ?? values.OFFLINE_URL === undefined,
    recomputeMicros: values.RECOMPUTE,
    batchEngine: values.BATCH_ENGINE,
    corsOrigins: values.CORS_ORIGINS ?? [],
    drainMs: values.DRAIN_MS ?? (isLocal ? 0 : drainMsInNetwork),
    maxEntities: values.MAX_ENTITIES,
    maxBodyBytes: values.MAX_BODY_BYTES,
    maxAnswerBytes: values.MAX_ANSWER_BYTES,
    onlineConcurrency: values.ONLINE_CONCURRENCY,
    asOfConcurrency: values.AS_OF_CONCURRENCY,
    ingestionConcurrency: values.INGESTION_CONCURRENCY,
    // Rows in the memory of a process are seen by no other thread.
    answerThreads: values.ONLINE_URL === 'memory:' ? 0 : (values.ANSWER_THREADS ?? defaultThreads()),
    requestsPerSecond: rate(values.RATE_REQUESTS, values.HOST, ratesInNetwork.requests),
    entitiesPerSecond: rate(values.RATE_ENTITIES, values.HOST, ratesInNetwork.entities),
    maxConnections: values.MAX_CONNECTIONS,
    documentLimits: {
      bytes: values.DOCUMENT_MAX_BYTES,
      tokens: values.DOCUMENT_MAX_TOKENS,
      aliases: values.DOCUMENT_MAX_ALIASES,
      definitions: values.DOCUMENT_MAX_DEFINITIONS,
      depth: values.DOCUMENT_MAX_DEPTH,
      repeats: values.DOCUMENT_MAX_REPEATS,
    },
    documentMsPerSecond: values.DOCUMENT_MS_PER_SECOND ?? (isLocal ? 0 : documentMsInNetwork),
    trustedDocuments,
    graphiql: values.GRAPHIQL ?? isLocal,
    introspection: values.INTROSPECTION ?? isLocal,
    suggestions: values.SUGGESTIONS ?? isLocal,
    audit: values.AUDIT ?? null,
    auditRetentionMicros: values.AUDIT_RETENTION,
    pushReceiptRetentionMicros: values.PUSH_RECEIPT_RETENTION,
    onlineTimeoutMs: values.ONLINE_TIMEOUT_MS,
    offlineTimeoutMs: values.OFFLINE_TIMEOUT_MS,
    lake: {
      extensionsFolder:
        values.DUCKDB_EXTENSIONS === undefined ? null : path.resolve(values.DUCKDB_EXTENSIONS),
      s3: readS3Access(environment),
    },
    duckDbMemory: values.DUCKDB_MEMORY,
    sparkSubmit: values.SPARK_SUBMIT,
    filesFolder: filesFolder(values),
    filesMaxBytesPerKey: values.FILES_MAX_BYTES_PER_KEY,
    spineMaxBytes: values.SPINE_MAX_BYTES,
    spineMaxRows: values.SPINE_MAX_ROWS,
    trainingEngine: values.TRAINING_ENGINE,
    trainingSetConcurrency: values.TRAINING_SET_CONCURRENCY,
    trainingSetMaxReads: values.TRAINING_SET_MAX_READS,
    trainingSetPartRows: values.TRAINING_SET_PART_ROWS,
    trainingSetRetentionMicros: values.TRAINING_SET_RETENTION,
    logLevel: values.LOG_LEVEL,
  }
}

/** Null: without a limit. */
function rate(given: number | undefined, host: string, inNetwork: number): number | null {
  const perSecond = given ?? (isLoopback(host) ? 0 : inNetwork)
  return perSecond === 0 ? null : perSecond
}

/** Beside the embedded Postgres, unless it is given; gateways on several machines share no folder unasked. */
function filesFolder({ FILES, DATA, OFFLINE_URL }: z.output<typeof settings>): string | null {
  if (FILES !== undefined) return path.resolve(FILES)
  return OFFLINE_URL === undefined ? path.resolve(DATA, 'files') : null
}

/** The process environment over what a `.env` file in the working directory says. */
export function readEnvironment(): Readonly<Record<string, string | undefined>> {
  return { ...readDotEnv(), ...process.env }
}

function readDotEnv(): Readonly<Record<string, string | undefined>> {
  try {
    return parseEnv(readFileSync('.env', 'utf8'))
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return {}
    throw new InvalidConfig([{ path: '.env', message: 'the file is there and cannot be read' }])
  }
}

function ourVariables(
  environment: Readonly<Record<string, string | undefined>>,
): Readonly<Record<string, string>> {
  const ours = Object.entries(environment).flatMap(([name, value]) =>
    name.startsWith(prefix) && value !== undefined && value !== ''
      ? [[name.slice(prefix.length), value] as const]
      : [],
  )
  return Object.fromEntries(ours)
}

function readApiKeys(file: string, problems: Problem[]): readonly ApiKey[] {
  const keys = z.array(apiKey).min(1, 'expected at least one key')
  return readJsonFile('API_KEYS_FILE', file, keys, problems) ?? []
}

/** What GraphQL Code Generator writes as persisted documents: an object of texts by their ids. */
function readTrustedDocuments(file: string, problems: Problem[]): Readonly<Record<string, string>> {
  const documents = z.record(z.string(), z.string(), 'expected an object: the text of each document by an id')
  return readJsonFile('TRUSTED_DOCUMENTS', file, documents, problems) ?? {}
}

function readJsonFile<T>(name: string, file: string, type: z.ZodType<T>, problems: Problem[]): T | null {
  const place = prefix + name
  let content: unknown
  try {
    content = JSON.parse(readFileSync(file, 'utf8'))
  } catch (error) {
    const reason = error instanceof SyntaxError ? 'is not JSON' : 'cannot be read'
    problems.push({ path: place, message: `the file ${file} ${reason}` })
    return null
  }
  const parsed = type.safeParse(content)
  if (parsed.success) return parsed.data
  for (const issue of parsed.error.issues)
    problems.push({ path: `${place} [${issue.path.join('.')}]`, message: issue.message })
  return null
}
