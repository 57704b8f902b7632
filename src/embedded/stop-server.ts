import type { TiedProcess } from './pipe-tie.ts'

/** Fast shutdown writes a checkpoint; after this long it is cut short, and the next start recovers from the log. */
const stopMs = 20_000

/** Ends a server, closing its connections; resolves when it is gone, also when it was before. */
export async function stopServer(server: TiedProcess): Promise<void> {
  server.release()
  const late = setTimeout(() => {
    try {
      process.kill(server.pid, 'SIGQUIT')
    } catch {
      // It ended in this very moment.
    }
  }, stopMs)
  await server.exited
  clearTimeout(late)
}
