import { residentQuarters } from '../resident-quarters.ts'
import { residentBytes } from './process-usage.ts'
import type { Bench } from './set-up.ts'

const entities = 100
const connections = 32
/** Memory is looked at between bursts of this length, so that its samples are of the same state. */
const burstSeconds = 2

/** The same load for minutes, and what the gateway holds meanwhile. One line. */
export async function soak({ contenders, load, world }: Bench, minutes: number): Promise<string> {
  const [gateway] = contenders
  const [server] = gateway?.processes ?? []
  if (!gateway || !server) throw new TypeError('a soak without a gateway')
  const ports = [server.port]
  const target = {
    server: gateway.name,
    protocol: gateway.protocol,
    ports,
    operation: 'features',
    entities,
  } as const
  await load.obey({ kind: 'check', target, ...world })
  const resident: number[] = []
  let requests = 0
  const until = performance.now() + minutes * 60_000
  while (performance.now() < until) {
    const options = { connections, seconds: burstSeconds }
    const report = await load.obey({ kind: 'burst', target, options })
    if (report.kind === 'burst') requests += report.burst.requests
    const bytes = residentBytes(server.pid)
    if (bytes !== null) resident.push(bytes)
  }
  if (resident.length === 0) return 'not measured: resident memory (this system has no /proc)'
  return `${requests.toLocaleString('en')} answers of ${entities} entities; ${residentQuarters(resident).line}`
}
