import { availableParallelism } from 'node:os'
import path from 'node:path'
import type { Micros } from '../definitions/timestamp.ts'
import type { LakeAccess } from '../stores/lake-access.ts'
import type { ApiKey } from './json-settings.ts'
import { isLoopback } from './loopback.ts'
import type { BatchEngine, Settings } from './settings.ts'

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

/** What files and other variables than ours say, read before. */
interface Found {
  readonly apiKeys: Config['apiKeys']
  readonly trustedDocuments: Config['trustedDocuments']
  readonly s3: LakeAccess['s3']
}

/** The settings that were given, with the defaults that depend on others: on the network above all, from which callers may come. */
export function configOf(values: Settings, { apiKeys, trustedDocuments, s3 }: Found): Config {
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
      s3,
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
function filesFolder({ FILES, DATA, OFFLINE_URL }: Settings): string | null {
  if (FILES !== undefined) return path.resolve(FILES)
  return OFFLINE_URL === undefined ? path.resolve(DATA, 'files') : null
}
