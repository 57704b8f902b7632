import { z } from 'zod'

const parts = z.record(z.string(), z.unknown()).catch({})
const manifest = z.record(z.string(), z.unknown())

/** Sections of which every entry is needed by itself. */
const sections = ['scripts', 'dependencies', 'devDependencies', 'overrides', 'allowScripts']

/**
 * What a project's own `package.json` lacks of the one that `init` would have written; null where nothing does, and all of it
 * where the own one is no JSON object. What is there in another value counts as there, but for the program's own tarball; so
 * does a dependency of the other kind.
 */
export function lackingManifest(own: string, written: string): object | null {
  const [there, needed] = [own, written].map(parsed)
  if (!needed || !there) return needed ?? null
  const ofBothKinds = { ...parts.parse(there['devDependencies']), ...parts.parse(there['dependencies']) }
  const lacking = sections.flatMap((section) => {
    const has = section.endsWith('ependencies') ? ofBothKinds : parts.parse(there[section])
    const entries = Object.entries(parts.parse(needed[section])).filter(
      ([name, value]) => !(name in has) || isOtherTarball(has[name], value),
    )
    return entries.length === 0 ? [] : [[section, Object.fromEntries(entries)] as const]
  })
  const type = there['type'] === needed['type'] ? [] : [['type', needed['type']] as const]
  return type.length + lacking.length === 0 ? null : Object.fromEntries([...type, ...lacking])
}

function parsed(text: string): Readonly<Record<string, unknown>> | null {
  try {
    return manifest.safeParse(JSON.parse(text)).data ?? null
  } catch {
    return null
  }
}

function isOtherTarball(has: unknown, needed: unknown): boolean {
  return String(needed).startsWith('file:') && String(has).startsWith('file:') && has !== needed
}
