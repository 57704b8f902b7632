import { mkdtemp, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { pythonPackages, scriptPath } from '../ingest/python.ts'
import { feastName } from './feast-answers.ts'
import { type BenchServer, startServer } from './servers.ts'
import { eventTimestamp, views } from './world.ts'

const version = '0.67.0'
/** It writes up to 190,000 rows before it listens. */
const writtenMs = 600_000

/** Feast's Python server over the same rows, in the same Redis under its own keys; or why it cannot be had. */
export async function startFeast(
  folder: string,
  redisUrl: string,
  { base, customers }: { readonly base: number; readonly customers: number },
): Promise<BenchServer | { readonly reason: string }> {
  let packages: string
  try {
    packages = await pythonPackages(`feast-${version}`, [`feast[redis]==${version}`], { alone: false })
  } catch (error) {
    return { reason: String(error).split('\n')[0] ?? '' }
  }
  const own = await mkdtemp(path.join(folder, 'feast-'))
  for (const view of views) await writeFile(path.join(own, `${view.name}.csv`), csv(view, base, customers))
  return await startServer({
    ...{ name: 'feast', folder: own, readyPath: '/health', startMs: writtenMs },
    program: 'python3',
    script: scriptPath('../online/feast_serve.py'),
    args: [own, new URL(redisUrl).port],
    environment: { PYTHONPATH: packages, PYTHONDONTWRITEBYTECODE: '1' },
  })
}

function csv(view: (typeof views)[number], base: number, customers: number): string {
  const lines = [['customer_id', ...view.features.map(feastName), 'event_timestamp'].join()]
  for (let id = 1; id <= customers; id += 1) {
    const values = view.values(id)
    if (values !== null)
      lines.push([id, ...values.map((value) => value ?? ''), eventTimestamp(id, base)].join())
  }
  return `${lines.join('\n')}\n`
}
