import { readFile } from 'node:fs/promises'
import type { ProjectFile } from './write-files.ts'

/** By what they are called in the project, where their texts stand in `src/init/project`. */
const texts: Readonly<Record<string, string>> = {
  '.env.example': 'env.example',
  '.gitignore': 'gitignore',
  'docker-compose.yml': 'compose.yml',
  'tsconfig.json': 'project-tsconfig.json',
}

/** The definitions of the project, their test, and how its README says to try them. */
export interface ProjectContent {
  readonly files: readonly ProjectFile[]
  /** Markdown; empty, or with a blank line at its end. */
  readonly example: string
}

/** Reads a text of the folder `src/init/project`. */
export type ReadText = (name: string) => Promise<string>

export function readTextsOf(packageRoot: URL): ReadText {
  return async (name) => await readFile(new URL(`src/init/project/${name}`, packageRoot), 'utf8')
}

/** The greenhouse, with which a project begins that brings no tables and no files. */
export async function exampleContent(readText: ReadText): Promise<ProjectContent> {
  const paths = ['schema/plants.ts', 'test/plants.test.ts']
  const files = await Promise.all(paths.map(async (path) => ({ path, text: await readText(path) })))
  return { files, example: await readText('example.md') }
}

/** Every file of a new project but the program itself. */
export async function projectFiles(
  readText: ReadText,
  {
    name,
    manifest,
    content,
  }: { readonly name: string; readonly manifest: string; readonly content: ProjectContent },
): Promise<readonly ProjectFile[]> {
  const readme = (await readText('README.md'))
    .replace('{{name}}', name)
    .replace('{{example}}\n', () => content.example)
  const copied = Object.entries(texts).map(async ([path, text]) => ({ path, text: await readText(text) }))
  return [
    { path: 'package.json', text: manifest },
    { path: 'README.md', text: readme },
    ...(await Promise.all(copied)),
    ...content.files,
  ]
}
