import { hostname, userInfo } from 'node:os'
import type { Config } from '../config/config.ts'

/** Who changes the registry: by the setting, else the user and the host, as `ann@laptop`. */
export function appliedBy({ appliedBy: setting }: Pick<Config, 'appliedBy'>): string {
  return setting ?? `${userName()}@${hostname()}`
}

function userName(): string {
  try {
    return userInfo().username
  } catch {
    // In a container the user's number need not have a name.
    return String(process.getuid?.() ?? 'unknown')
  }
}
