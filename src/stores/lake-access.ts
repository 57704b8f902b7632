import { BadUserInput } from '../errors.ts'

/** How object stores are reached, and where what DuckDB needs for it stands. Holds secrets: no message shows one. */
export interface LakeAccess {
  /** Of DuckDB's extensions; null: none are there. */
  readonly extensionsFolder: string | null
  readonly s3: S3Access
}

/** As the usual `AWS_…` variables give it. */
export interface S3Access {
  /** Null: objects that anyone may read. */
  readonly credentials: S3Credentials | null
  readonly region: string
  /** `https://host:port` of a store other than AWS; its buckets are the first part of a path. */
  readonly endpoint: string | null
}

interface S3Credentials {
  readonly accessKeyId: string
  readonly secretAccessKey: string
  readonly sessionToken: string | null
}

/** `s3://bucket/key`. */
export function isObjectUrl(path: string): boolean {
  return path.startsWith('s3://')
}

/** The usual variables of AWS' own tools. */
export function readS3Access(environment: Readonly<Record<string, string | undefined>>): S3Access {
  const first = (...names: readonly string[]): string | null =>
    names.map((name) => environment[name]).find((text) => text !== undefined && text !== '') ?? null
  const accessKeyId = first('AWS_ACCESS_KEY_ID')
  const secretAccessKey = first('AWS_SECRET_ACCESS_KEY')
  return {
    credentials:
      accessKeyId === null || secretAccessKey === null
        ? null
        : { accessKeyId, secretAccessKey, sessionToken: first('AWS_SESSION_TOKEN') },
    region: first('AWS_REGION', 'AWS_DEFAULT_REGION') ?? 'us-east-1',
    endpoint: first('AWS_ENDPOINT_URL_S3', 'AWS_ENDPOINT_URL'),
  }
}

/** @throws BadUserInput where the endpoint is no address of a server. */
export function endpointOf(endpoint: string): URL {
  const url = URL.canParse(endpoint) ? new URL(endpoint) : null
  if (url !== null && /^https?:$/.test(url.protocol) && url.pathname === '/') return url
  throw new BadUserInput(
    'AWS_ENDPOINT_URL is no address of an object store; expected https://host, or http://host:port',
  )
}
