import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'

const run = promisify(execFile)
const oldest = 17
const packages = ['openjdk-17-jre-headless', 'openjdk-21-jre-headless', 'openjdk-25-jre-headless']

/**
 * A Java of version 17 or later: in `JAVA_HOME`, on the PATH, else (as root) the first of Debian's that can be
 * installed. Throws an Error that says what to run.
 */
export async function java(): Promise<string> {
  const home = process.env['JAVA_HOME']
  for (const program of [...(home === undefined || home === '' ? [] : [join(home, 'bin', 'java')]), 'java'])
    if (await isRecent(program)) return program
  if (process.getuid?.() === 0) {
    const options = { env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' } }
    await run('apt-get', ['update'], options).catch(() => {})
    for (const name of packages) {
      await run('apt-get', ['install', '-y', '--no-install-recommends', name], options).catch(() => {})
      if (await isRecent('java')) return 'java'
    }
  }
  throw new Error(
    'no Java 17 or later; run as root `apt-get update && apt-get install -y --no-install-recommends openjdk-17-jre-headless`',
  )
}

async function isRecent(program: string): Promise<boolean> {
  try {
    const { stderr } = await run(program, ['-version'])
    return Number(/version "(\d+)/.exec(stderr)?.[1] ?? 0) >= oldest
  } catch {
    return false
  }
}
