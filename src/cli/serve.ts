import type { Config } from '../config/config.ts'
import { readConfig, readEnvironment } from '../config/read-config.ts'
import { thingsToTry } from '../demo/things-to-try.ts'
import { type Gateway, startGateway } from '../gateway/start-gateway.ts'
import { systemClock } from '../gateway/system-clock.ts'
import { gatewayLog } from './command-log.ts'
import { progressBar } from './progress-bar.ts'
import { apartTrainingJob, apartWork } from './run-apart.ts'
import { onStop } from './stop-signal.ts'

/** `featuregraph serve`: runs until SIGTERM or SIGINT, then answers for the time to drain and finishes what is running. */
export async function serve(): Promise<void> {
  const config = readConfig(readEnvironment())
  await runGateway(config, () => startServing(config))
}

/** What starts is ended in order by a signal, also one that comes before it has started. */
export async function runGateway(config: Config, start: () => Promise<Gateway>): Promise<void> {
  let running: Gateway | null = null
  onStop((reason) => {
    process.stdout.write(
      `${reason}: ${running === null ? 'ended while starting' : farewell(config.drainMs)}\n`,
    )
    if (running === null) process.exit(1)
    running
      .drain()
      .then(running.close)
      .then(
        () => process.exit(0),
        (error: unknown) => {
          process.stderr.write(`${String(error)}\n`)
          process.exit(1)
        },
      )
  })
  running = await start()
  process.stdout.write(welcome(config, running))
}

export async function startServing(config: Config): Promise<Gateway> {
  const bar = progressBar('writing the demo world')
  return await startGateway(config, {
    log: gatewayLog(config.logLevel),
    onDemoProgress: (done, total) => bar.update(done / total),
    apartTrainingJob,
    // Rows in the memory of a process are seen by no other.
    ...(config.onlineUrl === 'memory:' ? {} : { apart: apartWork }),
  }).finally(bar.stop)
}

function farewell(drainMs: number): string {
  const finishing = 'finishing what is running'
  return drainMs === 0
    ? finishing
    : `answering for ${drainMs} ms more while /readyz says no, then ${finishing}; a second signal ends at once`
}

function welcome(config: Config, { url, showsDemo }: Gateway): string {
  const stores = [
    config.offlineUrl === null ? '  FEATUREGRAPH_OFFLINE_URL=postgres://…   history and system tables' : null,
    config.onlineUrl === null ? '  FEATUREGRAPH_ONLINE_URL=redis://…       newest values' : null,
  ].filter((line) => line !== null)
  const lines = [
    '',
    `featuregraph answers at ${url}/graphql`,
    '',
    ...(showsDemo ? thingsToTry(url, systemClock()) : [`GraphiQL: ${url}`]),
    '',
    ...(stores.length > 0
      ? ['It runs on an embedded Postgres. To use your own servers set (also in a .env file)', ...stores, '']
      : []),
  ]
  return `${lines.join('\n')}\n`
}
