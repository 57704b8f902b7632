import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, it } from 'vitest'

const root = fileURLToPath(new URL('../..', import.meta.url))
const pages = [
  'README.md',
  'CONTRIBUTING.md',
  'clients/python/README.md',
  ...readdirSync(join(root, 'docs')).map((name) => `docs/${name}`),
]
  .filter((name) => name.endsWith('.md'))
  .map((name) => join(root, name))

/** As GitHub names a heading. */
function anchorsOf(page: string): ReadonlySet<string> {
  const headings = [...readFileSync(page, 'utf8').matchAll(/^#{1,6} (.+)$/gm)]
  return new Set(
    headings.map(([, heading = '']) =>
      heading
        .toLowerCase()
        .replace(/[^\p{L}\p{N} _-]/gu, '')
        .replaceAll(' ', '-'),
    ),
  )
}

it.each(pages.map((page) => relative(root, page)))('every link of %s leads somewhere', (name) => {
  const page = join(root, name)
  const broken: string[] = []
  for (const [, link = ''] of readFileSync(page, 'utf8').matchAll(/\]\(([^)\s]+)\)/g)) {
    if (/^https?:/.test(link)) continue
    const [path = '', anchor] = link.split('#')
    const target = path === '' ? page : join(dirname(page), path)
    try {
      if (anchor !== undefined && !anchorsOf(target).has(anchor)) broken.push(link)
      else if (!path.endsWith('/')) readFileSync(target)
    } catch {
      broken.push(link)
    }
  }
  expect(broken).toEqual([])
})

it('every file and folder that the tour of the code names is there', () => {
  const tour = readFileSync(join(root, 'docs/tour.md'), 'utf8')
  const named = [...tour.matchAll(/`([\w.-]+\/[\w./-]*|[\w-]+\.ts)`/g)].map(([, path = '']) => path)
  expect(named.length).toBeGreaterThan(100)
  expect(
    named.filter((path) => !existsSync(join(root, 'src', path)) && !existsSync(join(root, path))),
  ).toEqual([])
})
