import { readdir, stat } from 'node:fs/promises'
import path from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'

const pollMs = 300

/**
 * Yields whenever files of the folder have changed since the last time, or since the call, once they have been still for one
 * poll: an editor saves in several steps. By polls, since notifications do not pass into containers.
 */
export function savesOf(folder: string): AsyncGenerator<void> {
  return changesOf(folder, stateOf(folder))
}

async function* changesOf(folder: string, first: Promise<string>): AsyncGenerator<void> {
  let known = await first
  let before = known
  for (;;) {
    await sleep(pollMs)
    const now = await stateOf(folder)
    if (now !== known && now === before) {
      known = now
      yield
    }
    before = now
  }
}

/** Names, sizes and times of change; empty where the folder cannot be read. */
async function stateOf(folder: string): Promise<string> {
  const names = await readdir(folder, { recursive: true }).catch(() => [])
  const lines = await Promise.all(
    names.sort().map(async (name) => {
      const found = await stat(path.join(folder, name)).catch(() => null)
      return found === null ? '' : `${name} ${found.size} ${found.mtimeMs}`
    }),
  )
  return lines.join('\n')
}
