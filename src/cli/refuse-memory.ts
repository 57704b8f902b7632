import { InvalidConfig } from '../errors.ts'

/** What a command wrote into memory would be gone with it. */
export function refuseMemory(onlineUrl: string | null): void {
  if (onlineUrl !== 'memory:') return
  const message = 'memory: lives inside one gateway only; a command needs redis://… or postgres://…'
  throw new InvalidConfig([{ path: 'FEATUREGRAPH_ONLINE_URL', message }])
}
