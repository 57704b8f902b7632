import { inject } from 'vitest'

/**
 * Superuser's URL of the database `postgres` on a server that no other test file uses at the time. A server of their own,
 * since Postgres counts transactions by the server: one that is open in a database keeps what is new in another from
 * counting as seen, and what is stale or read again would depend on the file beside.
 */
export function postgresUrl(): string {
  const urls = inject('postgresUrls')
  // From 1 to the number of files that run at once.
  const url = urls[(Number(process.env['VITEST_POOL_ID'] ?? 1) - 1) % urls.length]
  if (url === undefined) throw new Error('the run has no Postgres')
  return url
}
