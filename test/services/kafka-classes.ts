import { execFile } from 'node:child_process'
import { createHash } from 'node:crypto'
import { access, rename, rm } from 'node:fs/promises'
import { promisify } from 'node:util'

let made: Promise<readonly string[]> | null = null

/**
 * The JVM options by which brokers share an archive of their loaded classes, beside the jars in `.cache/kafka`: with it a
 * start takes three fifths of the CPU. Once per Java it is made by `runBroker`, which runs a broker with the given option
 * and lets it end in order. Where an archive does not fit any more, the JVM goes on without it.
 */
export async function sharedClasses(
  program: string,
  jars: string,
  runBroker: (option: string) => Promise<void>,
): Promise<readonly string[]> {
  made ??= (async () => {
    const { stderr: version } = await promisify(execFile)(program, ['-version'])
    const archive = `${jars}-${createHash('sha256').update(version).digest('hex').slice(0, 12)}.jsa`
    const isThere = await access(archive).then(
      () => true,
      () => false,
    )
    if (!isThere) {
      // Under another name until it is whole.
      const making = `${archive}-${process.pid}`
      await runBroker(`-XX:ArchiveClassesAtExit=${making}`)
      try {
        await rename(making, archive)
      } catch {
        // This Java writes none.
        await rm(making, { force: true })
        return []
      }
    }
    return [`-XX:SharedArchiveFile=${archive}`]
  })()
  return await made
}
