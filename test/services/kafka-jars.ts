import { execFile } from 'node:child_process'
import { createHash } from 'node:crypto'
import { access, mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'

const run = promisify(execFile)
const version = '4.4.0'
const cacheFolder = fileURLToPath(new URL(`../../.cache/kafka/${version}`, import.meta.url))

const pom = `<project>
  <modelVersion>4.0.0</modelVersion>
  <groupId>featuregraph</groupId><artifactId>kafka-for-tests</artifactId><version>1</version>
  <dependencies>
    <dependency><groupId>org.apache.kafka</groupId><artifactId>kafka_2.13</artifactId><version>${version}</version></dependency>
  </dependencies>
</project>
`

interface Jar {
  /** In a Maven repository. */
  readonly path: string
  readonly sha256: string
}

/**
 * The folder with a Kafka broker's jars, 43 MB: `.cache/kafka`, filled once by Maven, which is installed where it is missing
 * (as root). Each jar must have the digest that `kafka-jars.txt` says.
 * Throws an Error that names what failed.
 */
export async function kafkaJars(): Promise<string> {
  if (await exists(cacheFolder)) return cacheFolder
  const jars = await listedJars()
  // Under another name until it is whole.
  const making = `${cacheFolder}-${process.pid}`
  await rm(making, { recursive: true, force: true })
  await mkdir(making, { recursive: true })
  try {
    await installMaven()
    await copyByMaven(making)
    await checkDigests(jars, making)
    await rename(making, cacheFolder)
  } catch (error) {
    await rm(making, { recursive: true, force: true })
    // Another process may have been quicker.
    if (!(await exists(cacheFolder))) throw error
  }
  return cacheFolder
}

async function listedJars(): Promise<readonly Jar[]> {
  const text = await readFile(new URL('./kafka-jars.txt', import.meta.url), 'utf8')
  return text
    .trim()
    .split('\n')
    .map((line) => {
      const [sha256 = '', path = ''] = line.split(' ')
      return { sha256, path }
    })
}

/** Where there is none, as root. */
async function installMaven(): Promise<void> {
  const isThere = await run('mvn', ['--version']).then(
    () => true,
    () => false,
  )
  if (isThere) return
  if (process.getuid?.() !== 0)
    throw new Error(
      'no Maven; run as root `apt-get update && apt-get install -y --no-install-recommends maven`',
    )
  const options = { env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' } }
  await run('apt-get', ['update'], options)
  await run('apt-get', ['install', '-y', '--no-install-recommends', 'maven'], options)
}

async function copyByMaven(folder: string): Promise<void> {
  await writeFile(join(folder, 'pom.xml'), pom)
  const goal = ['dependency:copy-dependencies', '-DincludeScope=runtime', `-DoutputDirectory=${folder}`]
  await run('mvn', ['-q', '-B', '-f', join(folder, 'pom.xml'), ...goal])
}

async function checkDigests(jars: readonly Jar[], folder: string): Promise<void> {
  for (const { path, sha256 } of jars) {
    const bytes = await readFile(join(folder, basename(path)))
    const found = createHash('sha256').update(bytes).digest('hex')
    if (found !== sha256) throw new Error(`${basename(path)} has SHA-256 ${found}, expected ${sha256}`)
  }
}

async function exists(path: string): Promise<boolean> {
  return await access(path).then(
    () => true,
    () => false,
  )
}
