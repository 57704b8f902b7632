import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import S3rver from 's3rver'
import type { LakeAccess } from '../../src/stores/lake-access.ts'

export interface TestObjectStore {
  /** Of a bucket `lake`, which is empty. */
  readonly access: LakeAccess['s3']
  /** The variables that say the same. */
  readonly environment: Readonly<Record<string, string>>
  readonly stop: () => Promise<void>
}

/** An object store on a free port of this machine. */
export async function startObjectStore(): Promise<TestObjectStore> {
  const folder = await mkdtemp(join(tmpdir(), 'featuregraph-s3-'))
  const server = new S3rver({
    ...{ address: '127.0.0.1', port: 0, silent: true, directory: folder },
    configureBuckets: [{ name: 'lake', configs: [] }],
  })
  const { port } = await server.run()
  const endpoint = `http://127.0.0.1:${port}`
  // What this server takes.
  const credentials = { accessKeyId: 'S3RVER', secretAccessKey: 'S3RVER', sessionToken: null }
  return {
    access: { credentials, region: 'us-east-1', endpoint },
    environment: {
      AWS_ACCESS_KEY_ID: credentials.accessKeyId,
      AWS_SECRET_ACCESS_KEY: credentials.secretAccessKey,
      ...{ AWS_REGION: 'us-east-1', AWS_ENDPOINT_URL: endpoint },
    },
    async stop() {
      await server.close()
      await rm(folder, { recursive: true, force: true })
    },
  }
}
