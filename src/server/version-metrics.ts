import { Gauge, type Registry } from 'prom-client'

export interface VersionNumbers {
  readonly served: number
  readonly newest: number
}

/** Which version of the registry a process serves, as of the last read of what is to be watched. */
export function versionMetrics(register: Registry): (state: () => VersionNumbers) => void {
  let state: (() => VersionNumbers) | null = null
  const gauge = (name: string, help: string, of: keyof VersionNumbers) =>
    new Gauge({
      ...{ name: `featuregraph_${name}`, help, registers: [register] },
      collect() {
        if (state !== null) this.set(state()[of])
      },
    })
  gauge('registry_version', 'Version of the registry that this process serves', 'served')
  gauge('registry_newest_version', "The registry's newest version, as of the last poll", 'newest')
  return (watched) => {
    state = watched
  }
}
