import path from 'node:path'

/** Of this machine, whatever the working directory of the one who reads it; an address as `s3://…` as it is. */
export function absolutePath(given: string): string {
  return /^[a-z][a-z0-9+.-]*:\/\//i.test(given) ? given : path.resolve(given)
}
