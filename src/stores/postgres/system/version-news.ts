import pg from 'pg'
import type { VersionNews } from '../../version-news.ts'
import { versionsChannel } from './version-store.ts'

const againMs = 5_000

/** LISTEN on a connection of its own. Through a pooler in transaction mode it succeeds, and nothing comes. */
export function postgresVersionNews(pool: pg.Pool, project: string): VersionNews {
  return {
    listen(onNews) {
      let client: pg.Client | null = null
      let again: NodeJS.Timeout | null = null
      let isStopped = false

      const lose = (lost: pg.Client): void => {
        if (client !== lost) return
        client = null
        lost.end().catch(() => {})
        if (!isStopped) again = setTimeout(connect, againMs).unref()
      }
      function connect(): void {
        const opened = new pg.Client({ ...pool.options, application_name: 'featuregraph versions' })
        client = opened
        opened.on('error', () => lose(opened))
        opened.on('end', () => lose(opened))
        opened.on('notification', ({ payload }) => {
          if (payload === project) onNews()
        })
        opened
          .connect()
          .then(() => opened.query(`listen ${versionsChannel}`))
          // What came before it listened.
          .then(onNews, () => lose(opened))
      }

      connect()
      return async () => {
        isStopped = true
        if (again !== null) clearTimeout(again)
        await client?.end().catch(() => {})
      }
    },
  }
}
