/**
 * A process of its own for the tests: starts the embedded Postgres of the folder given, prints one JSON line with the
 * outcome, and lives until its standard input ends; then it stops Postgres, prints `stopped` and ends by itself.
 * A SIGINT does nothing, as in a gateway that is still draining its requests.
 */
import { once } from 'node:events'
import { startEmbeddedPostgres } from '../../src/embedded/embedded-postgres.ts'

process.on('SIGINT', () => {})
const logged: string[] = []
const log = (line: string): unknown => logged.push(line)
const postgres = await startEmbeddedPostgres(process.argv[2] ?? '', {
  log: { info: log, warn: log },
  onMoved: () => {},
})
console.log(JSON.stringify({ url: postgres.url, joined: postgres.joined, logged }))
process.stdin.resume()
await once(process.stdin, 'end')
await postgres.stop()
console.log('stopped')
