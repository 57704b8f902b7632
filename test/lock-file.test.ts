import { readFileSync } from 'node:fs'
import { expect, it } from 'vitest'
import { z } from 'zod'

const lock = z
  .object({
    packages: z.record(
      z.string(),
      z.object({
        resolved: z.string().optional(),
        engines: z.object({ node: z.string().optional() }).optional(),
      }),
    ),
  })
  .parse(JSON.parse(readFileSync('package-lock.json', 'utf8')))
const packages = Object.entries(lock.packages)

/** Whether a range like `^20.19.0 || >=22.12.0` holds a Node 20; of the forms that packages use. */
function takesNode20(range: string): boolean {
  return range.split('||').some((part) => {
    const [, compared = '', major = '20'] = /^\s*([<>=^~]*)\s*v?(\d+)/.exec(part) ?? []
    return compared.startsWith('>') ? Number(major) <= 20 : major === '20'
  })
}

it('the lock file lets npm ci warn of no engine on Node 20: no package asks for a newer one', () => {
  expect(packages.length).toBeGreaterThan(300)
  const newer = packages.filter(([, { engines }]) => !takesNode20(engines?.node ?? '*'))
  expect(newer.map(([name, { engines }]) => `${name} ${engines?.node}`)).toEqual([])
})

it('the lock file names no address of a registry', () => {
  expect(packages.filter(([, { resolved }]) => resolved !== undefined)).toEqual([])
})
