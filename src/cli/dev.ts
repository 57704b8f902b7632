import { readConfig, readEnvironment } from '../config/read-config.ts'
import { InvalidDefinitions } from '../errors.ts'
import type { Gateway } from '../gateway/start-gateway.ts'
import { runShown } from './run-apart.ts'
import { savesOf } from './saves.ts'
import { runGateway, startServing } from './serve.ts'

/**
 * `featuregraph dev`: the gateway, which serves what is applied, and `featuregraph apply` at its start and at every save, in a
 * process of its own, since a process loads a module once. With problems in the files it serves on what was applied before;
 * where nothing was, it waits until they can be.
 */
export async function dev(): Promise<void> {
  const config = readConfig(readEnvironment())
  const saves = savesOf(config.schemaFolder)

  async function startOnce(): Promise<Gateway | null> {
    try {
      return await startServing(config)
    } catch (error) {
      if (!(error instanceof InvalidDefinitions)) throw error
      return null
    }
  }

  async function start(): Promise<Gateway> {
    let gateway = await startOnce()
    // Says what is wrong, with files and lines; or applies what differs from what is served.
    await applySaved()
    while (gateway === null) {
      process.stderr.write(`nothing has been applied yet; waiting for changes in ${config.schemaFolder}\n`)
      await saves.next()
      if (await applySaved()) gateway = await startOnce()
    }
    return gateway
  }

  await runGateway(config, start)
  for await (const _ of saves) await applySaved()
}

async function applySaved(): Promise<boolean> {
  return (await runShown(['apply', '--allow-breaking', '--message', 'dev'])) === 0
}
