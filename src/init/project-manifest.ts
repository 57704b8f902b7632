import { z } from 'zod'

const versions = z.record(z.string(), z.string())

/** What a project takes over from the package of the running program. */
const programManifest = z.object({
  version: z.string(),
  engines: z.object({ node: z.string() }),
  dependencies: versions,
  devDependencies: versions,
  overrides: z.record(z.string(), z.string()),
  allowScripts: z.record(z.string(), z.boolean()),
})

export type ProgramManifest = z.output<typeof programManifest>

export function parseProgramManifest(text: string): ProgramManifest {
  return programManifest.parse(JSON.parse(text))
}

/** Tools of the project's own scripts, in the versions that the program was tested with. */
const tools = ['tsx', 'typescript', '@types/node']

/**
 * The project's `package.json`. npm reads overrides and allowed install scripts of the root only, so those of the program
 * are repeated: without them its packages come in versions that ask for another Node, or unbuilt.
 */
export function projectManifest(name: string, program: ProgramManifest, tarball: string): string {
  const all = { ...program.devDependencies, ...program.dependencies }
  const manifest = {
    name,
    version: '0.1.0',
    private: true,
    type: 'module',
    engines: program.engines,
    scripts: {
      start: 'featuregraph serve',
      dev: 'featuregraph dev',
      check: 'tsc && featuregraph check',
      test: 'node --import tsx --test test/*.test.ts',
    },
    dependencies: { featuregraph: `file:${tarball}` },
    devDependencies: Object.fromEntries(
      tools.flatMap((tool) => (all[tool] === undefined ? [] : [[tool, all[tool]]])),
    ),
    // A reference as `$graphql` means a dependency of the program.
    overrides: Object.fromEntries(
      Object.entries(program.overrides).filter(([, version]) => !version.startsWith('$')),
    ),
    allowScripts: program.allowScripts,
  }
  return `${JSON.stringify(manifest, null, 2)}\n`
}

/** A folder's name → a name that npm takes. */
export function projectName(folder: string): string {
  const name = folder
    .toLowerCase()
    .replace(/[^a-z0-9._-]+/g, '-')
    .replace(/^[^a-z0-9]+|-+$/g, '')
  // A project that is named as its dependency cannot install it.
  return name === '' || name === 'featuregraph' ? 'features' : name
}
