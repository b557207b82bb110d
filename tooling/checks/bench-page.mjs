// docs/explanation/performance.md: prose by hand, and below each `<!-- bench: NAME -->` the table of its recorded result.

import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

export const benchPage = 'docs/explanation/performance.md'

/** @typedef {{ what: string, least?: number, most?: number, got: number, met: boolean }} Target */
/**
 * @typedef {object} Case
 * @property {string} name
 * @property {{ median: number }} [ops_per_s]
 * @property {number} [value]
 * @property {string} [unit]
 * @property {number} [ratio]
 * @property {Record<string, number | string>} [more]
 */
/**
 * What `tooling/bench` writes.
 * @typedef {object} Recorded
 * @property {string} name
 * @property {string} node
 * @property {{ cpu: string, cores: number }} machine
 * @property {string} [ratio_to]
 * @property {Case[]} cases
 * @property {Target[]} [targets]
 */

/** @param {number} value */
function digits(value) {
  if (Math.abs(value) >= 100) return Math.round(value).toLocaleString('en')
  return value.toFixed(Math.abs(value) >= 10 ? 1 : 2)
}

/** @param {readonly string[]} cells */
const row = (cells) => `| ${cells.join(' | ')} |`

/** @param {Recorded} result */
function casesOf({ ratio_to, cases }) {
  const isRated = cases.some((each) => each.ops_per_s !== undefined)
  const hasCpu = cases.some((each) => typeof each.more?.cpu_us === 'number')
  const head = isRated ? ['', 'per second', `÷ ${ratio_to}`, ...(hasCpu ? ['CPU µs'] : [])] : ['', '']
  const rows = cases.map((each) => {
    const name = `\`${each.name}\``
    if (!isRated) return [name, `${digits(each.value ?? Number.NaN)} ${each.unit ?? ''}`.trim()]
    const cpu = each.more?.cpu_us
    return [
      name,
      each.ops_per_s === undefined ? '' : digits(each.ops_per_s.median),
      each.ratio === undefined ? '' : each.ratio.toFixed(2),
      ...(hasCpu ? [typeof cpu === 'number' ? digits(cpu) : ''] : []),
    ]
  })
  return [row(head), row(head.map((_, index) => (index === 0 ? '---' : '---:'))), ...rows.map(row)].join('\n')
}

/** @param {Target} target */
function targetOf({ what, least, most, got, met }) {
  const bounds = [
    least === undefined ? [] : [`at least ${least}`],
    most === undefined ? [] : [`at most ${most}`],
  ].flat()
  return `- ${met ? 'Met' : '**Missed**'}: ${what} ${bounds.join(' and ')}; it is ${Math.abs(got) < 10 ? got.toFixed(3) : digits(got)}.`
}

/** @param {Recorded} result */
function render(result) {
  const { name, node, machine, targets = [] } = result
  const from = `\`node tooling/bench/run.mjs ${name}\`, Node ${node}, ${machine.cores} cores of ${machine.cpu}:`
  return [from, '', casesOf(result), ...(targets.length === 0 ? [] : ['', ...targets.map(targetOf)])].join('\n')
}

/**
 * @param {string} root
 * @param {string} page the page as it is
 * @returns {string} the page as it should be
 */
export function renderBenchPage(root, page) {
  return page.replace(/(<!-- bench: ([\w-]+) -->\n)[\s\S]*?(<!-- \/bench -->)/g, (_all, open, name, close) => {
    const file = join(root, 'tooling/bench/results', `${name}.json`)
    if (!existsSync(file)) throw new Error(`${benchPage} shows ${name}, which has no recorded result`)
    return `${open}\n${render(JSON.parse(readFileSync(file, 'utf8')))}\n\n${close}`
  })
}
