import { rollBack } from '../registry/versions/rollback.ts'
import { appliedText } from './applied-text.ts'
import { argumentVersion } from './argument-version.ts'
import { withRegistry } from './with-registry.ts'

interface RollbackArguments {
  readonly message?: string
  readonly json?: boolean
}

/** `featuregraph rollback <version>`: a new version with the definitions of that one. */
export async function rollback(text: string, { message, json = false }: RollbackArguments): Promise<void> {
  const version = argumentVersion(text)
  await withRegistry(async ({ targets, options, audit }) => {
    const before = await targets.versions.newest()
    const after = await rollBack(targets, version, options(message))
    if (after.version !== before) audit('ROLLBACK', after.version)
    process.stdout.write(await appliedText(targets, { before, after, json }))
  })
}
