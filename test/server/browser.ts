import { execFile } from 'node:child_process'
import { access, constants } from 'node:fs/promises'
import { delimiter, join } from 'node:path'
import { promisify } from 'node:util'
import { chromium, type Page } from 'playwright-core'
import { patienceMs } from '../services/wait-until.ts'

/** A page in a browser of its own, with all that it said and asked for since before it was opened. */
export type OpenPage = {
  readonly page: Page
  /** `type: text` of every console message, in order; `error: …` is what a test wants none of. */
  readonly consoleMessages: readonly string[]
  /** Uncaught exceptions of the page and its workers. */
  readonly pageErrors: readonly string[]
  /** Every request of the page and its workers, data: and blob: URLs among them. */
  readonly requestedUrls: readonly string[]
  close(): Promise<void>
}

/** The line for a machine where `findChromium` finds nothing. */
export const installChromium = 'apt-get install -y --no-install-recommends chromium   # or set CHROMIUM_BIN'

const macOsPaths = [
  '/Applications/Google Chrome.app/Contents/MacOS/Google Chrome',
  '/Applications/Chromium.app/Contents/MacOS/Chromium',
]

/**
 * An executable Chromium: CHROMIUM_BIN, else the PATH's, else macOS' usual places. As root on Debian it is installed
 * (about 40 s, 350 MB) when there is none. Null elsewhere: `installChromium` is what the reader is to do.
 * Throws when CHROMIUM_BIN is set and cannot be run, rather than test another browser than the one asked for.
 */
export async function findChromium(): Promise<string | null> {
  const chosen = process.env['CHROMIUM_BIN']
  if (chosen) {
    if (await isExecutable(chosen)) return chosen
    throw new Error(`CHROMIUM_BIN: expected an executable file; "${chosen}" is none`)
  }
  const found = await findInstalled()
  if (found !== null) return found
  if (process.getuid?.() !== 0 || !(await isReadable('/etc/debian_version'))) return null
  await installWithApt()
  return findInstalled()
}

/**
 * Opens the URL and waits for its load event; what the page does after that is for the test to wait for.
 * Throws with the line to run when there is no Chromium.
 */
export async function openPage(url: string): Promise<OpenPage> {
  const executablePath = await findChromium()
  if (executablePath === null) throw new Error(`expected a Chromium; found none. Run: ${installChromium}`)
  const browser = await chromium.launch({
    executablePath,
    args: [
      '--no-sandbox',
      '--disable-gpu',
      '--disable-quic',
      '--no-first-run',
      '--disable-background-networking',
      '--disable-component-update',
      '--disable-sync',
    ],
  })
  const consoleMessages: string[] = []
  const pageErrors: string[] = []
  const requestedUrls: string[] = []
  const context = await browser.newContext({ viewport: { width: 1440, height: 900 } })
  context.on('console', (message) => consoleMessages.push(`${message.type()}: ${message.text()}`))
  context.on('weberror', (webError) => pageErrors.push(String(webError.error())))
  context.on('request', (request) => requestedUrls.push(request.url()))
  const page = await context.newPage()
  try {
    await page.goto(url)
  } catch (error) {
    await browser.close()
    throw error
  }
  return { page, consoleMessages, pageErrors, requestedUrls, close: () => browser.close() }
}

/**
 * Presses GraphiQL's run button until the answer holds a text. GraphiQL takes no click before it has read the query,
 * and says nothing when it has.
 */
export async function runUntilShown(page: Page, text: string): Promise<void> {
  for (const until = performance.now() + patienceMs; performance.now() < until; ) {
    await page.locator('.graphiql-execute-button').click()
    const shown = page.waitForFunction(
      (expected) => document.querySelector('.result-window')?.textContent?.includes(expected) === true,
      text,
      // For this press: the next may be the one that it takes.
      { timeout: 3_000 },
    )
    if (await shown.then(() => true).catch(() => false)) return
  }
  throw new Error(`GraphiQL did not show ${text} however often its run button was pressed`)
}

async function findInstalled(): Promise<string | null> {
  const folders = (process.env['PATH'] ?? '').split(delimiter).filter((folder) => folder !== '')
  const onPath = ['chromium', 'chromium-browser', 'google-chrome'].flatMap((name) =>
    folders.map((folder) => join(folder, name)),
  )
  for (const path of process.platform === 'darwin' ? [...onPath, ...macOsPaths] : onPath) {
    if (await isExecutable(path)) return path
  }
  return null
}

/** The package lists may be missing or stale (as in a fresh container): they are fetched only after a first failure. */
async function installWithApt(): Promise<void> {
  const run = promisify(execFile)
  const wait = ['-o', 'DPkg::Lock::Timeout=300']
  const install = () => run('apt-get', [...wait, 'install', '-y', '--no-install-recommends', 'chromium'])
  await install().catch(async () => {
    await run('apt-get', [...wait, 'update'])
    await install()
  })
}

function isExecutable(path: string): Promise<boolean> {
  return access(path, constants.X_OK).then(
    () => true,
    () => false,
  )
}

function isReadable(path: string): Promise<boolean> {
  return access(path, constants.R_OK).then(
    () => true,
    () => false,
  )
}
