// What a benchmark leaves behind: a table for people, JSON for comparisons over time.

import { mkdirSync, renameSync, writeFileSync } from 'node:fs'
import { availableParallelism, cpus } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

/**
 * @typedef {object} Case
 * @property {string} name
 * @property {{ median: number, min: number, max: number }} [ops_per_s]
 * @property {number} [value] of a case that is not a rate
 * @property {string} [unit]
 * @property {number} [ratio] to the case that `ratio_to` names
 * @property {Record<string, number | string>} [more]
 */

/**
 * @typedef {object} Target
 * @property {string} what
 * @property {number} [least]
 * @property {number} [most]
 * @property {number} got
 * @property {boolean} met
 */

/**
 * @typedef {object} Result
 * @property {string} name
 * @property {string} [ratio_to]
 * @property {Record<string, unknown>} [settings]
 * @property {Case[]} cases
 * @property {Target[]} [targets] what it is held to
 */

/** @param {number} value */
function digits(value) {
  if (Math.abs(value) >= 100) return Math.round(value).toLocaleString('en')
  return value.toFixed(Math.abs(value) >= 10 ? 1 : 2)
}

/** @param {Result} result */
export function table({ name, ratio_to, cases, targets = [] }) {
  const extra = [...new Set(cases.flatMap((each) => Object.keys(each.more ?? {})))]
  const head = [name, 'per second', 'min', 'max', `÷ ${ratio_to ?? '-'}`, ...extra]
  const rows = cases.map((each) => [
    each.name,
    each.ops_per_s ? digits(each.ops_per_s.median) : `${digits(each.value ?? Number.NaN)} ${each.unit ?? ''}`,
    each.ops_per_s ? digits(each.ops_per_s.min) : '',
    each.ops_per_s ? digits(each.ops_per_s.max) : '',
    each.ratio === undefined ? '' : each.ratio.toFixed(2),
    ...extra.map((column) => {
      const value = each.more?.[column]
      return typeof value === 'number' ? digits(value) : (value ?? '')
    }),
  ])
  const widths = head.map((text, column) => Math.max(text.length, ...rows.map((row) => (row[column] ?? '').length)))
  const write = (/** @type {string[]} */ row) =>
    row
      .map((text, column) => (column === 0 ? text.padEnd(widths[column] ?? 0) : text.padStart(widths[column] ?? 0)))
      .join('  ')
  const lines = [write(head), widths.map((width) => '-'.repeat(width)).join('  '), ...rows.map(write)]
  return [...lines, ...targets.map(targetLine)].join('\n')
}

/** @param {Target} target */
function targetLine({ what, least, most, got, met }) {
  const bounds = [...(least === undefined ? [] : [`≥ ${least}`]), ...(most === undefined ? [] : [`≤ ${most}`])]
  return `${met ? 'met   ' : 'MISSED'}  ${what}: ${got.toFixed(3)} (${bounds.join(', ')})`
}

/**
 * Writes results/NAME.json.
 * @param {Result} result
 * @param {string} [folder]
 * @returns {string} where
 */
export function writeResult(result, folder = fileURLToPath(new URL('../results', import.meta.url))) {
  const { name, ...rest } = result
  const document = {
    name,
    machine: {
      cpu: cpus()[0]?.model ?? 'unknown',
      cores: availableParallelism(),
      platform: `${process.platform}-${process.arch}`,
    },
    node: process.versions.node,
    ...rest,
  }
  mkdirSync(folder, { recursive: true })
  const path = join(folder, `${name}.json`)
  writeFileSync(`${path}.tmp`, `${JSON.stringify(document, undefined, 2)}\n`)
  renameSync(`${path}.tmp`, path)
  return path
}
