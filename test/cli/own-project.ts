import { cp, mkdir, readFile, symlink } from 'node:fs/promises'
import { join } from 'node:path'
import { repository } from './start-command.ts'

/** What a clone has and a build needs; its packages are the repository's. */
const cloned = ['package.json', 'README.md', 'LICENSE', 'tsconfig.json', '.npmrc', 'src', 'migrations']

/** A clone that was never built, so that packing it does not touch the repository's own build. */
export async function makeClone(folder: string): Promise<void> {
  await mkdir(folder)
  for (const name of cloned) await cp(join(repository, name), join(folder, name), { recursive: true })
  await symlink(join(repository, 'node_modules'), join(folder, 'node_modules'))
}

/** The blocks of a page in a language, in order. */
export async function pageBlocks(page: string, language: string): Promise<readonly string[]> {
  const text = await readFile(page, 'utf8')
  return [...text.matchAll(/```(\w+)\n([\s\S]*?)```/g)].flatMap(([, name, block = '']) =>
    name === language ? [block] : [],
  )
}
