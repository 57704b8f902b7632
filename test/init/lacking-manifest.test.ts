import { expect, it } from 'vitest'
import { lackingManifest } from '../../src/init/lacking-manifest.ts'

const written = JSON.stringify({
  name: 'mine',
  type: 'module',
  scripts: { start: 'featuregraph serve', test: 'node --test' },
  dependencies: { featuregraph: 'file:vendor/featuregraph-0.2.0.tgz' },
  devDependencies: { typescript: '6.0.3', tsx: '4.0.0' },
  overrides: { cookie: '1.1.1' },
})

it('a manifest lacks what it does not name, whatever its values are', () => {
  const own = {
    ...{ name: 'bakery', type: 'module', scripts: { test: 'vitest' } },
    dependencies: { featuregraph: 'file:vendor/featuregraph-0.2.0.tgz', tsx: '^4' },
  }
  expect(lackingManifest(JSON.stringify(own), written)).toEqual({
    scripts: { start: 'featuregraph serve' },
    devDependencies: { typescript: '6.0.3' },
    overrides: { cookie: '1.1.1' },
  })
})

it('nothing is lacking where all of it stands; a tarball of another version is', () => {
  expect(lackingManifest(written, written)).toBeNull()
  const older = written.replace('featuregraph-0.2.0', 'featuregraph-0.1.0')
  expect(lackingManifest(older, written)).toEqual({
    dependencies: { featuregraph: 'file:vendor/featuregraph-0.2.0.tgz' },
  })
})

it('all of it is lacking where the manifest is no JSON object', () => {
  expect(lackingManifest('{ "name": ', written)).toEqual(JSON.parse(written))
})
