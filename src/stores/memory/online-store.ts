import type { Clock, Micros } from '../../definitions/timestamp.ts'
import type { OnlineRead, OnlineStore, OnlineWriteOutcome } from '../online-store.ts'
import { guardMarkerName } from '../online-value/online-key.ts'
import { compareRowOrder, readRowOrder } from '../online-value/packed-row.ts'
import { mergeSection } from '../online-value/tile-sections.ts'

/** The online store in plain code, inside one process: the oracle of the contract tests. */
export function memoryOnlineStore(clock: Clock, project = 'default'): OnlineStore {
  const rows = new Map<string, { readonly row: Buffer; readonly expiresAt: Micros }>()
  const markers = new Map<string, string>()
  const guardName = guardMarkerName(project)

  function current(key: string): Buffer | null {
    const stored = rows.get(key)
    return stored && stored.expiresAt > clock() ? stored.row : null
  }

  function read(keys: readonly string[]): OnlineRead {
    return { rows: keys.map(current), guard: markers.get(guardName) ?? null, connection: 0 }
  }

  return {
    name: 'memory',
    guardName,
    losesTail: false,
    writeConnection: () => 0,
    readMany: async (keys) => read(keys),
    async readWithin(keys, mostBytes) {
      const whole = read(keys)
      const bytes = whole.rows.reduce((sum, row) => sum + (row?.length ?? 0), 0)
      return bytes > mostBytes ? { bytesStored: bytes } : whole
    },
    writeMany: async (writes, expireAfterMicros) =>
      writes.map(({ key, row }): OnlineWriteOutcome => {
        const order = readRowOrder(row) ?? [0, 0, 0]
        const stored = current(key)
        const storedOrder = stored && readRowOrder(stored)
        if (storedOrder && compareRowOrder(order, storedOrder) < 0) return 'OLDER'
        const expiresAt = expireAfterMicros === null ? Number.POSITIVE_INFINITY : order[0] + expireAfterMicros
        rows.set(key, { row, expiresAt })
        return 'WRITTEN'
      }),
    writeSections: async (writes, expireAt) =>
      writes.map(({ key, row }): OnlineWriteOutcome => {
        const value = mergeSection(current(key), row)
        if (value === null) return 'OLDER'
        rows.set(key, { row: value, expiresAt: expireAt ?? Number.POSITIVE_INFINITY })
        return 'WRITTEN'
      }),
    readMarker: async (name) => markers.get(name) ?? null,
    writeMarker: async (name, value) => {
      markers.set(name, value)
    },
    moveMarker: async (name, from, to) => {
      if ((markers.get(name) ?? null) !== from) return false
      markers.set(name, to)
      return true
    },
    async removeRows(prefix) {
      for (const key of rows.keys()) if (key.startsWith(prefix)) rows.delete(key)
      for (const name of markers.keys())
        if (name === prefix || name.startsWith(`${prefix} `)) markers.delete(name)
    },
    ping: async () => {},
    close: async () => rows.clear(),
  }
}
