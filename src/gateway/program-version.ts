import { readFileSync } from 'node:fs'

/** Of the package, from the sources and from the built package alike. */
export function programVersion(): string {
  const manifest = readFileSync(new URL('../../package.json', import.meta.url), 'utf8')
  const { version }: { readonly version?: unknown } = JSON.parse(manifest)
  return String(version)
}
