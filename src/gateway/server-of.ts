import { errorCode, FeaturegraphError, messageOf, StoreFailed, StoreUnsuitable } from '../errors.ts'

/** The servers of a store's URL, as `host:port` or a list of them; never the user or the password. */
export function serverOf(url: string): string {
  const [, authority = ''] = /^[a-z]+:\/\/([^/?#]*)/i.exec(url) ?? []
  return authority.slice(authority.lastIndexOf('@') + 1) || 'its default address'
}

const remedies: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'start it, or correct the host and port',
  ENOTFOUND: 'no host of this name is known: correct it',
  EAI_AGAIN: 'the host name could not be looked up: correct it, or try again',
  ETIMEDOUT: 'correct the host, or open the way to it (firewall, network)',
  ENETUNREACH: 'correct the host, or open the way to it (firewall, network)',
  '28P01': 'correct the user or the password',
  '28000': "correct the user, or allow it in the server's pg_hba.conf",
  '3D000': 'create the database, or correct its name at the end of the URL',
  '53300': 'the server has no connection to spare: raise its max_connections, or end other clients',
}

/** What a start could not do with Postgres, with the setting that names the server and what to do; others as they came. */
export function withSetting(setting: string, url: string): (error: unknown) => never {
  return (error) => {
    if (!(error instanceof StoreFailed) || error instanceof StoreUnsuitable) throw error
    const reason = rootOf(error)
    const code = errorCode(reason)
    // Node tries each address of a host, and then says only what all of them have in common: the code.
    const why = messageOf(reason) || code
    const remedy = remedies[code] ?? 'check the server and the URL'
    throw new StoreFailed(`${setting}: Postgres at ${serverOf(url)} does not answer (${why}); ${remedy}`, {
      cause: error,
    })
  }
}

function rootOf(error: unknown): unknown {
  return error instanceof FeaturegraphError && error.cause instanceof Error ? rootOf(error.cause) : error
}
