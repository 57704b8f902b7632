import type { Redis } from 'ioredis'
import type { StoreUnsuitable } from '../../errors.ts'
import { checkServer, type EvictionSettings } from './check-server.ts'

export interface WatchOptions extends EvictionSettings {
  /** Called once per change, with null after a recovery. */
  readonly onChange: (problem: StoreUnsuitable | null) => void
}

export interface ServerWatch {
  /** Of the first check; null too when the server cannot be reached or is not ready for 10 seconds. Never rejects. */
  readonly first: Promise<StoreUnsuitable | null>
  /** Why the server cannot be used, by a check of the last second. */
  readonly current: () => Promise<StoreUnsuitable | null>
  /** A command was refused for this reason. */
  readonly noticed: (problem: StoreUnsuitable) => void
  readonly stop: () => void
}

const freshMs = 1_000
const firstMs = 10_000

/**
 * Checks the server of each connection whenever it becomes ready, each second while there is a problem, and when asked.
 * Each connection is checked: after a failover they may have different servers.
 */
export function watchServer(clients: readonly Redis[], options: WatchOptions): ServerWatch {
  let problem: StoreUnsuitable | null = null
  let checkedAt = Number.NEGATIVE_INFINITY
  let running: Promise<void> | null = null
  let again = false
  let stopped = false
  let timer: NodeJS.Timeout | undefined
  let begun: (found: StoreUnsuitable | null) => void = () => {}
  const first = new Promise<StoreUnsuitable | null>((resolve) => {
    begun = resolve
  })
  // A server that loads its data is not ready for as long as that takes.
  const patience = setTimeout(() => begun(problem), firstMs)
  patience.unref()

  function hold(found: StoreUnsuitable | null): void {
    const isNews = found?.check !== problem?.check
    problem = found
    if (isNews && !stopped) options.onChange(found)
    clearTimeout(timer)
    if (found === null || stopped) return
    timer = setTimeout(check, freshMs)
    timer.unref()
  }

  /** Undefined: the server cannot be asked now. */
  async function checkOne(client: Redis): Promise<StoreUnsuitable | null | undefined> {
    if (client.status !== 'ready') return undefined
    return await checkServer(client, options).catch(() => undefined)
  }

  async function checkAll(): Promise<void> {
    do {
      again = false
      checkedAt = performance.now()
      const asked = clients.every(({ status }) => status === 'ready')
      const found = await Promise.all(clients.map(checkOne))
      const worst = found.find((one) => one)
      hold(worst ?? (found.includes(undefined) ? problem : null))
      if (worst || asked) begun(worst ?? null)
    } while (again && !stopped)
  }

  function check(): Promise<void> {
    again = running !== null
    running ??= checkAll().finally(() => {
      running = null
    })
    return running
  }

  for (const client of clients) {
    client.on('ready', check)
    client.on('error', () => begun(problem))
    client.on('close', () => begun(problem))
  }
  return {
    first,
    async current() {
      if (running !== null) await running
      else if (performance.now() - checkedAt > freshMs) await check()
      return problem
    },
    noticed: hold,
    stop() {
      stopped = true
      for (const one of [timer, patience]) clearTimeout(one)
      begun(problem)
    },
  }
}
