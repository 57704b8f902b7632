import { execFile } from 'node:child_process'
import { createHash } from 'node:crypto'
import { access, mkdir, readFile, rename, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'

const cache = fileURLToPath(new URL('../../.cache', import.meta.url))
const example = fileURLToPath(new URL('../../examples/client-typescript/package.json', import.meta.url))

/** The clients that docs/clients.md shows beside the example's own. */
const documented = { '@apollo/client': '4.3.8', '@urql/core': '6.0.3', rxjs: '7.8.2' }

/**
 * A `node_modules` with what examples/client-typescript and docs/clients.md need: 300 packages that only their test uses, and
 * of which several ask for a newer Node than ours, so they do not stand in our package.json. From the registry into
 * `.cache/`, once for each version of the list.
 */
export async function clientPackages(): Promise<string> {
  const manifest = JSON.parse(await readFile(example, 'utf8')) as { readonly dependencies: object }
  const text = JSON.stringify({ ...manifest, dependencies: { ...manifest.dependencies, ...documented } })
  const digest = createHash('sha256').update(text).digest('hex').slice(0, 12)
  const folder = join(cache, `client-packages-${digest}`)
  const isThere = await access(folder).then(
    () => true,
    () => false,
  )
  if (!isThere) {
    // Under another name until it is whole.
    const making = `${folder}-${process.pid}`
    await mkdir(making, { recursive: true })
    await writeFile(join(making, 'package.json'), text)
    const options = ['--no-audit', '--no-fund', '--ignore-scripts', '--no-package-lock', '--loglevel=error']
    await promisify(execFile)('npm', ['install', ...options], { cwd: making })
    await rename(making, folder)
  }
  return join(folder, 'node_modules')
}
