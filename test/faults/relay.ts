import type { AddressInfo } from 'node:net'
import { connect, createServer, type Socket } from 'node:net'

/** An address that stays while the server behind it changes; as a name that is moved after a failover. */
export interface Relay {
  readonly port: number
  /** Breaks every connection; later ones go to another port, or nowhere. */
  readonly point: (port: number | null) => void
  readonly close: () => Promise<void>
}

export async function startRelay(first: number): Promise<Relay> {
  let target: number | null = first
  const open = new Set<Socket>()
  const server = createServer((caller) => {
    if (target === null) {
      caller.destroy()
      return
    }
    const behind = connect(target, '127.0.0.1')
    for (const socket of [caller, behind]) {
      open.add(socket)
      socket.setNoDelay(true)
      socket.on('error', () => {})
      socket.on('close', () => {
        open.delete(socket)
        caller.destroy()
        behind.destroy()
      })
    }
    caller.pipe(behind).pipe(caller)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const breakAll = (): void => {
    for (const socket of open) socket.destroy()
  }
  return {
    port: (server.address() as AddressInfo).port,
    point(port) {
      target = port
      breakAll()
    },
    async close() {
      breakAll()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}
