/** A process of its own for the tests: makes the library links of a `native` folder and prints Postgres's version. */
import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { linkLibraries } from '../../src/embedded/binaries.ts'

const [, , native = '', linksFolder = ''] = process.argv
const env = await linkLibraries(native, linksFolder)
const { stdout } = await promisify(execFile)(join(native, 'bin', 'postgres'), ['--version'], { env })
console.log(JSON.stringify({ variables: Object.keys(env), version: stdout.trim() }))
