import { PassThrough } from 'node:stream'
import { setTimeout as sleep } from 'node:timers/promises'
import { expect, it } from 'vitest'
import { heard } from '../../src/server/heard.ts'

async function textOf(chunks: AsyncIterable<Buffer>): Promise<string> {
  let text = ''
  for await (const chunk of chunks) text += chunk.toString()
  return text
}

it('gives a sender up that drips for ever', async () => {
  const body = new PassThrough()
  const drip = setInterval(() => body.write('.'), 1)
  await expect(textOf(heard(body, { windowMs: 50, bytes: 1_000_000 }))).rejects.toThrow(
    'less than 1000000 bytes',
  )
  clearInterval(drip)
  expect(body.destroyed).toBe(true)
})

it('gives a sender up that falls silent', async () => {
  const body = new PassThrough()
  body.write('some')
  await expect(textOf(heard(body, { windowMs: 20, bytes: 10 }))).rejects.toThrow('less than 10 bytes')
})

it('hears a sender to its end that sends enough, however long that takes', async () => {
  const body = new PassThrough()
  const heardText = textOf(heard(body, { windowMs: 60_000, bytes: 4 }))
  for (let index = 0; index < 20; index += 1) {
    body.write('abcd')
    await sleep(1)
  }
  body.end()
  expect(await heardText).toBe('abcd'.repeat(20))
})

it('does not count the time that the gateway takes for what came', async () => {
  const body = new PassThrough()
  body.write('a')
  body.write('b')
  let text = ''
  for await (const chunk of heard(body, { windowMs: 40, bytes: 1_000 })) {
    text += chunk.toString()
    // Longer than the window.
    await sleep(60)
    if (text === 'ab') body.end()
  }
  expect(text).toBe('ab')
})
