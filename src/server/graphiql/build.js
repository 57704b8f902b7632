/**
 * Bundles GraphiQL into dist/graphiql/: `index.html`, and under `assets/` files with hashed names, each text file
 * with its `.gz` beside it. Run by node before there is any compiled code, hence plain JavaScript:
 *
 *     node src/server/graphiql/build.js [--force]
 *
 * Without --force nothing is done (and esbuild not needed) when the page is newer than everything in this folder.
 * The result is moved into place whole, so that a reader never meets half of it.
 */
import { readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises'
import { basename, join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { gzip } from 'node:zlib'

const sources = import.meta.dirname
const target = fileURLToPath(new URL('../../../dist/graphiql', import.meta.url))
const shown = relative(process.cwd(), target)

if (!process.argv.includes('--force') && (await isUpToDate())) {
  console.log(`graphiql: ${shown} is up to date`)
} else {
  const started = performance.now()
  const sizes = await buildInto(`${target}-${process.pid}`)
  const seconds = ((performance.now() - started) / 1000).toFixed(1)
  console.log(
    `graphiql: built ${shown}, ${sizes.files} files, ${megabytes(sizes.bytes)} (${megabytes(sizes.gzipped)} gzipped), in ${seconds} s`,
  )
}

async function isUpToDate() {
  const built = await stat(join(target, 'index.html')).catch(() => null)
  if (built === null) return false
  const names = await readdir(sources)
  const times = await Promise.all(names.map(async (name) => (await stat(join(sources, name))).mtimeMs))
  return times.every((mtimeMs) => mtimeMs < built.mtimeMs)
}

/** @param {string} folder an empty place beside the target, on the same file system */
async function buildInto(folder) {
  try {
    const names = await bundle(join(folder, 'assets'))
    const template = await readFile(join(sources, 'index.html'), 'utf8')
    const html = template.replaceAll(/%([\w.]+)%/g, (_, source) => `graphiql/assets/${nameOf(names, source)}`)
    await writeFile(join(folder, 'index.html'), html)
    const sizes = await compress(folder)
    await moveIntoPlace(folder)
    return sizes
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

/**
 * Two rounds, since the page names the workers' hashed files.
 *
 * @param {string} outdir
 * @returns {Promise<Map<string, string>>} the output's file name by the base name of its source
 */
async function bundle(outdir) {
  const { build } = await import('esbuild')
  const options = {
    absWorkingDir: sources,
    outdir,
    bundle: true,
    minify: true,
    splitting: true,
    metafile: true,
    format: 'esm',
    target: 'es2022',
    jsx: 'automatic',
    entryNames: '[name]-[hash]',
    chunkNames: '[name]-[hash]',
    assetNames: '[name]-[hash]',
    define: { 'process.env.NODE_ENV': '"production"' },
    logLevel: 'error',
  }
  const workers = await build({
    ...options,
    entryPoints: [
      'monaco-editor/esm/vs/editor/editor.worker.js',
      'monaco-editor/esm/vs/language/json/json.worker.js',
      'monaco-graphql/esm/graphql.worker.js',
    ],
  })
  const workerNames = outputNames(workers.metafile)
  const workerFiles = {
    editor: nameOf(workerNames, 'editor.worker.js'),
    json: nameOf(workerNames, 'json.worker.js'),
    graphql: nameOf(workerNames, 'graphql.worker.js'),
  }
  const styles = await build({
    ...options,
    entryPoints: ['page.css', 'favicon.svg'],
    loader: { '.svg': 'copy' },
  })
  const page = await build({
    ...options,
    entryPoints: ['page.tsx'],
    define: { ...options.define, WORKER_FILES: JSON.stringify(workerFiles) },
    // Monaco's modules import their styles one by one; graphiql/style.css has them all.
    loader: { '.css': 'empty' },
  })
  return new Map([...outputNames(styles.metafile), ...outputNames(page.metafile)])
}

/** @param {import('esbuild').Metafile} metafile */
function outputNames(metafile) {
  return new Map(
    Object.entries(metafile.outputs).flatMap(([path, { entryPoint, inputs }]) => {
      const source = entryPoint ?? Object.keys(inputs)[0]
      return source === undefined ? [] : [[basename(source), basename(path)]]
    }),
  )
}

/**
 * @param {Map<string, string>} names
 * @param {string} source
 */
function nameOf(names, source) {
  const name = names.get(source)
  if (name === undefined)
    throw new Error(`expected a bundle of ${source}; there is ${[...names.keys()].join(', ')}`)
  return name
}

/** @param {string} folder */
async function compress(folder) {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true })
  const sizes = { files: 0, bytes: 0, gzipped: 0 }
  for (const entry of entries.filter((each) => each.isFile())) {
    const path = join(entry.parentPath, entry.name)
    const body = await readFile(path)
    const isText = /\.(html|js|css|svg)$/.test(entry.name)
    const zipped = isText ? await promisify(gzip)(body, { level: 9 }) : body
    if (isText) await writeFile(`${path}.gz`, zipped)
    sizes.files += 1
    sizes.bytes += body.length
    sizes.gzipped += zipped.length
  }
  return sizes
}

/**
 * Only renames touch the target, so that it is there whole or not at all; when two builds end together one of the
 * two results, made of the same sources, stays.
 *
 * @param {string} folder
 */
async function moveIntoPlace(folder) {
  const old = `${folder}-old`
  await rename(target, old).catch(ignoring('ENOENT'))
  await rename(folder, target).catch(ignoring('ENOTEMPTY', 'EEXIST'))
  await rm(old, { recursive: true, force: true })
}

/** @param {string[]} codes */
function ignoring(...codes) {
  return (/** @type {NodeJS.ErrnoException} */ error) => {
    if (error.code === undefined || !codes.includes(error.code)) throw error
  }
}

/** @param {number} bytes */
function megabytes(bytes) {
  return `${(bytes / 1e6).toFixed(2)} MB`
}
