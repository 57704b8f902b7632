import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { readConfig } from '../../src/config/read-config.ts'
import { settingNames } from '../../src/config/settings.ts'

const page = readFileSync(new URL('../../docs/settings.md', import.meta.url), 'utf8')
const rows = [...page.matchAll(/^\| `([A-Z_]+)` \| (.+?) \| (.+) \| `(.+)` \|$/gm)].map(
  ([, name = '', fallback = '', meaning = '', example = '']) => ({ name, fallback, meaning, example }),
)

const isFile = (name: string): boolean => name === 'API_KEYS_FILE' || name === 'TRUSTED_DOCUMENTS'

describe('docs/settings.md', () => {
  it('has every setting once, and none that there is not', () => {
    expect(rows.map(({ name }) => name).toSorted()).toEqual([...settingNames].toSorted())
  })

  it('gives examples that are taken', () => {
    const examples = rows.filter(({ name }) => !isFile(name))
    const given = examples.map(({ name, example }) => [`FEATUREGRAPH_${name}`, example])
    expect(() =>
      readConfig({ ...Object.fromEntries(given), FEATUREGRAPH_ALLOW_ANONYMOUS: 'true' }),
    ).not.toThrow()
  })

  it('gives defaults that mean the same as no setting', () => {
    const defaults = rows.flatMap(({ name, fallback }) => {
      const [, value] = /^`([^`]+)`$/.exec(fallback) ?? []
      return value === undefined ? [] : [[`FEATUREGRAPH_${name}`, value]]
    })
    expect(defaults.length).toBeGreaterThan(10)
    expect(readConfig(Object.fromEntries(defaults))).toEqual(readConfig({}))
  })
})
