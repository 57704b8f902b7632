import { z } from 'zod'
import { parseDuration } from '../definitions/duration.ts'
import type { Micros } from '../definitions/timestamp.ts'

/** Of the environment variables that are settings. */
export const settingPrefix = 'FEATUREGRAPH_'

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

/** Each setting as the text of its variable, without the prefix, and what it becomes. */
export const settings = z.object({
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

/** What was given, with the defaults that depend on nothing else. */
export type Settings = z.output<typeof settings>

/** Every setting, without the prefix. */
export const settingNames: readonly string[] = Object.keys(settings.shape)
