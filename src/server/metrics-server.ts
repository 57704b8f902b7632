import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { InvalidConfig } from '../errors.ts'
import type { Metrics } from './metrics.ts'

export interface MetricsServer {
  readonly url: string
  readonly close: () => Promise<void>
}

/**
 * `/metrics` and `/livez` on a port of their own, for every caller that can reach it: no key is asked for. @throws InvalidConfig where
 * the port cannot be had.
 */
export async function serveMetrics(
  metrics: Pick<Metrics, 'contentType' | 'text'>,
  host: string,
  port: number,
): Promise<MetricsServer> {
  const server = createServer((request, response) => {
    const [pathname] = (request.url ?? '').split('?')
    if (pathname === '/livez') response.end('ok\n')
    else if (pathname !== '/metrics') response.writeHead(404).end('there are /metrics and /livez\n')
    else {
      metrics.text().then(
        (text) => response.writeHead(200, { 'content-type': metrics.contentType }).end(text),
        () => response.writeHead(500).end(),
      )
    }
  })
  await new Promise<void>((resolve, reject) => {
    server.once('error', (error) =>
      reject(
        new InvalidConfig([
          {
            path: 'FEATUREGRAPH_METRICS_PORT',
            message: `cannot be had (${error.message}); stop what listens there, or set another`,
          },
        ]),
      ),
    )
    server.listen(port, host, resolve)
  })
  const { address, port: own } = server.address() as AddressInfo
  return {
    url: `http://${address}:${own}`,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
}
