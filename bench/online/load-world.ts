import { setTimeout as sleep } from 'node:timers/promises'
import { Redis } from 'ioredis'
import { pino } from 'pino'
import { readConfig } from '../../src/config/read-config.ts'
import type { Value } from '../../src/definitions/value.ts'
import { openStores } from '../../src/gateway/open-stores.ts'
import { openRowLayouts } from '../../src/online/row-layouts.ts'
import { loadRegistry } from '../../src/registry/load.ts'
import type { FeatureView, StoredView } from '../../src/registry/registry.ts'
import type { OnlineWrite } from '../../src/stores/online-store.ts'
import { onlineKeySuffix } from '../../src/stores/online-value/online-key.ts'
import { rowPacker } from '../../src/stores/online-value/packed-row.ts'
import { physicalExpiry } from '../../src/stores/online-value/physical-expiry.ts'
import {
  type BenchView,
  customerCount,
  eventTimestamp,
  textKey,
  views,
  wideCount,
  wideView,
} from './world.ts'

const slice = 5_000

/** The front of each view's keys, in the order of `views`. */
export type KeyPrefixes = readonly string[]

/**
 * Writes the first customers twice: packed rows by the gateway's own code under the gateway's own keys, and text hashes for
 * the default Apollo server; the wide view has no hashes. `environment` is the gateway's. Two rows and two hashes a customer.
 */
export async function loadWorld(
  environment: Readonly<Record<string, string>>,
  redisUrl: string,
  base: number,
  customers = customerCount,
): Promise<KeyPrefixes> {
  const config = readConfig(environment)
  const registry = await loadRegistry(config.schemaFolder)
  const stores = await openStores(config, {
    log: pino({ level: 'silent' }),
    clock: () => base,
    countNonFinite: () => {},
  })
  const redis = new Redis(redisUrl)
  try {
    const layouts = await openRowLayouts(config.project, registry, stores.registry, stores.guardRecord)
    for (const view of [...views, wideView]) {
      const registered = registeredView(registry.views, view)
      const pack = rowPacker(layouts.layout(registered))
      const prefix = layouts.keyPrefix(registered, 0)
      const last = view === wideView ? wideCount : customers
      for (let first = 1; first <= last; first += slice) {
        const writes: OnlineWrite[] = []
        const pipeline = redis.pipeline()
        for (let id = first; id < first + slice && id <= last; id += 1) {
          const values = view.values(id)
          if (values === null) continue
          const row = pack({
            eventTimestamp: eventTimestamp(id, base),
            createdTimestamp: base,
            rowId: id,
            values: values as readonly (Value | null)[],
          })
          writes.push({ key: prefix + onlineKeySuffix([id]), row })
          const texts = view.features.flatMap((name, index) => {
            const value = values[index] ?? null
            return value === null ? [] : [name, String(value)]
          })
          if (texts.length > 0 && view !== wideView) pipeline.hset(textKey(view, id), ...texts)
        }
        await onceConnected(() => stores.online.writeMany(writes, physicalExpiry(registered.ttlMicros)))
        await pipeline.exec()
      }
    }
    return views.map((view) => layouts.keyPrefix(registeredView(registry.views, view), 0))
  } finally {
    redis.disconnect()
    await stores.close()
  }
}

/** The store refuses calls until its connections stand; rows may be written twice. */
async function onceConnected(write: () => Promise<unknown>, patienceMs = 5_000): Promise<void> {
  const until = performance.now() + patienceMs
  for (;;) {
    try {
      await write()
      return
    } catch (error) {
      if (performance.now() > until) throw error
      await sleep(20)
    }
  }
}

/** The bench computes values in the definition's order; a definition that changed must not be measured unnoticed. */
function registeredView(registered: readonly FeatureView[], view: BenchView): StoredView {
  const found = registered.find(({ name }) => name === view.name)
  const features = found?.features.map(({ graphqlName }) => graphqlName).join(' ')
  if (found && found.kind !== 'STREAM' && features === view.features.join(' ')) return found
  throw new Error(
    `the bench expects the feature view "${view.name}" with ${view.features.join(' ')}; the schema has ${features ?? 'none of that name'}`,
  )
}
