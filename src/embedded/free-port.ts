import { createServer } from 'node:net'

/** A port of 127.0.0.1 that was free a moment ago; another may take it before it is used, so be ready to try again. */
export async function freePort(): Promise<number> {
  return await new Promise((resolve, reject) => {
    const probe = createServer()
    probe.once('error', reject)
    probe.listen(0, '127.0.0.1', () => {
      const address = probe.address()
      probe.close(() => {
        if (address === null || typeof address === 'string') reject(new Error('no free port on 127.0.0.1'))
        else resolve(address.port)
      })
    })
  })
}
