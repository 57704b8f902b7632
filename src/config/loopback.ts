import { isIPv4 } from 'node:net'

/** Addresses on which only this machine can reach the gateway. */
export function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || (isIPv4(host) && host.startsWith('127.'))
}
