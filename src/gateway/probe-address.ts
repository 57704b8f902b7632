import { createServer } from 'node:net'
import { errorCode, InvalidConfig } from '../errors.ts'

type Address = { readonly host: string; readonly port: number }

/** Listens for a moment, so that an address that cannot be had is found before anything is written. @throws InvalidConfig */
export async function probeAddress(address: Address): Promise<void> {
  const probe = createServer()
  await new Promise<void>((resolve, reject) => {
    probe.once('error', reject)
    probe.listen(address.port, address.host, () => probe.close(() => resolve()))
  }).catch(refuseAddress(address))
}

/** @throws InvalidConfig where the settings name an address that cannot be had; else what came. */
export function refuseAddress({ host, port }: Address): (error: unknown) => never {
  const problems: Readonly<Record<string, readonly [setting: string, message: string]>> = {
    EADDRINUSE: [
      'PORT',
      `port ${port} of ${host} is taken; stop what listens there, or set another, as FEATUREGRAPH_PORT=${port === 65_535 ? 4_000 : port + 1}`,
    ],
    EACCES: ['PORT', `this user may not listen on port ${port}; set one above 1023`],
    EADDRNOTAVAIL: [
      'HOST',
      `this machine does not have the address ${host}; set one that it has, or 0.0.0.0 for all`,
    ],
    ENOTFOUND: ['HOST', `no host ${host} is known; set an address of this machine, or 0.0.0.0 for all`],
  }
  return (error) => {
    const [setting, message] = problems[errorCode(error)] ?? []
    if (setting === undefined || message === undefined) throw error
    throw new InvalidConfig([{ path: `FEATUREGRAPH_${setting}`, message }])
  }
}
