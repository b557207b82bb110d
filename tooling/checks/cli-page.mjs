// docs/reference/cli.md: what is written by hand, then every command's own help, made from the program.

import { join } from 'node:path'
import { PassThrough } from 'node:stream'
import { pathToFileURL } from 'node:url'

/** @typedef {(words: readonly string[]) => Promise<string>} Help the help of a command, by its words */

/**
 * The built program's help.
 * @param {string} root
 * @returns {Promise<Help>}
 */
export async function helpOfCli(root) {
  const { runCountersign, processIo } = await import(pathToFileURL(join(root, 'packages/cli/dist/index.js')).href)
  return async (words) => {
    const stdout = new PassThrough({ encoding: 'utf8' })
    await runCountersign([...words, '--help'], { ...processIo(), stdout, stderr: new PassThrough() })
    return stdout.read() ?? ''
  }
}

/** @param {string} page the page as it is @param {Help} help @returns {Promise<string>} the page as it should be */
export async function renderCli(page, help) {
  const introduction = page.split(/^(?=## `)/m)[0] ?? ''
  const sections = []
  for (const words of await commandsBelow([], help)) {
    const text = (await help(words)).replace(/^Global Options:\n(?: .*\n)*\n?/m, '')
    sections.push(`## \`${['countersign', ...words].join(' ')}\`\n\n\`\`\`text\n${text.trim()}\n\`\`\`\n`)
  }
  return `${introduction.trimEnd()}\n\n${sections.join('\n')}`
}

/**
 * Commands that do something, in the order of the help: those with commands below them are only a heading, unless their
 * usage does without one.
 * @param {readonly string[]} words
 * @param {Help} help
 * @returns {Promise<(readonly string[])[]>}
 */
async function commandsBelow(words, help) {
  const text = await help(words)
  const [, list = ''] = text.split(/^Commands:$/m)
  const names = [...(list.split(/^\S/m)[0] ?? '').matchAll(/^ {2}(\w\S*)/gm)]
    .map(([, name]) => name ?? '')
    .filter((name) => name !== 'help')
  if (names.length === 0) return [words]
  const below = /^Usage: .*\[options\]$/m.test(text) ? [words] : []
  for (const name of names) below.push(...(await commandsBelow([...words, name], help)))
  return below
}
