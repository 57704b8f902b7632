// Takes the place of spark-submit: node fake-submit.js <what it does> <folder to note things in> … <driver> <script> <output>
import { spawn } from 'node:child_process'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import path from 'node:path'

const [what, notes, ...rest] = process.argv.slice(2)
const [driver, script, output] = rest.slice(-3)
const note = (name, text) => writeFileSync(path.join(notes, name), text)

function finish() {
  mkdirSync(output, { recursive: true })
  writeFileSync(path.join(output, 'part-00000.parquet'), '')
  writeFileSync(path.join(output, '_SUCCESS'), '')
}

note('arguments', JSON.stringify(rest))
note('driver', readFileSync(driver, 'utf8'))
note('script', readFileSync(script, 'utf8'))
console.error('INFO SparkContext: Running')
switch (what) {
  case 'work':
    console.log('3 of 4 tasks done')
    finish()
    console.log('featuregraph-report {"rows": 7}')
    break
  case 'elsewhere':
    finish()
    break
  case 'leave':
    console.log('Submitted application application_1_0001')
    break
  case 'refuse':
    console.log('featuregraph-report {"refused": "hdfs:/rows holds files that no run left"}')
    process.exitCode = 3
    break
  case 'fail':
    for (let line = 1; line <= 50; line += 1) console.error(`line ${line} of a stack`)
    console.error('Caused by: [CAST_INVALID_INPUT]')
    process.exitCode = 1
    break
  case 'stay': {
    process.on('SIGTERM', () => note('terminated', ''))
    const java = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)'], { stdio: 'ignore' })
    note('pids', JSON.stringify([process.pid, java.pid]))
    setInterval(() => {}, 1_000)
    console.error('INFO staying')
    break
  }
}
