// `pnpm bench [NAME…]`: benchmarks, peers and ours side by side. Each prints a table and writes results/NAME.json.
// usage: run.mjs [--rounds N] [--seconds N] [--no-pin] [NAME…]

import { parseArgs } from 'node:util'
import { table, writeResult } from './harness/report.mjs'

const names = [
  'verify-distinct',
  'verify-repeated',
  'sign',
  'http-guard',
  'mcp-guard',
  'mcp-revocation',
  'bad-tokens',
  'token-endpoint',
  'revocation-memory',
  'revocation-latency',
  'refresh',
  'exchange',
  'websocket-memory',
  'websocket-auth',
  'websocket-revocation',
  'websocket-reauth',
  'websocket-flood',
  'runboard-recovery',
  'credential-get',
  'embedded-start',
]
/** Fewer say nothing on a shared machine. */
const leastRounds = 7

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    rounds: { type: 'string', default: String(leastRounds) },
    seconds: { type: 'string', default: '3' },
    'no-pin': { type: 'boolean', default: false },
  },
})
const rounds = Number(values.rounds)
const seconds = Number(values.seconds)
const unknown = positionals.filter((name) => !names.includes(name))
if (unknown.length > 0 || !(Number.isInteger(rounds) && rounds > 0) || !(Number.isInteger(seconds) && seconds > 0)) {
  console.error(`usage: run.mjs [--rounds N] [--seconds N] [--no-pin] [NAME…]\nthere are: ${names.join(', ')}`)
  process.exit(2)
}

for (const name of names.filter((each) => positionals.length === 0 || positionals.includes(each))) {
  const { run } = await import(`./${name}.mjs`)
  const result = await run({
    rounds,
    seconds,
    pin: !values['no-pin'],
    /** @param {string} text */
    progress: (text) => process.stderr.write(`${name}: ${text}\n`),
  })
  console.log(`\n${table(result)}\n`)
  if (rounds < leastRounds) console.log(`${rounds} rounds are under ${leastRounds}: not written`)
  else console.log(`written: ${writeResult(result)}`)
}
