import { createServer } from 'node:http'
import { scoreTransaction } from './score-transaction.js'

/** A scoring service: GET /score?customer=1001&amount=25.5 */
const server = createServer(async (request, response) => {
  const { pathname, searchParams } = new URL(request.url ?? '/', 'http://localhost')
  const send = (status: number, body: object): void => {
    response.writeHead(status, { 'content-type': 'application/json' }).end(`${JSON.stringify(body)}\n`)
  }
  const customer = searchParams.get('customer') ?? ''
  const amount = Number(searchParams.get('amount') ?? Number.NaN)
  if (pathname !== '/score' || !/^-?\d+$/.test(customer) || !Number.isFinite(amount))
    return send(400, { error: 'expected /score?customer=1001&amount=25.5' })
  try {
    send(200, await scoreTransaction(customer, amount))
  } catch (error) {
    send(502, { error: String(error) })
  }
})

server.listen(Number(process.env['PORT'] ?? 4100), '127.0.0.1', () => {
  console.log(`scoring at http://127.0.0.1:${(server.address() as { port: number }).port}/score`)
})
process.on('SIGTERM', () => server.close())
