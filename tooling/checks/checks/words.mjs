// What is nobody's business or nobody's promise must not be in the repository: paths of one machine, the host of
// a package registry, and words of unfinished work.

import { readFileSync } from 'node:fs'
import { trackedFiles } from '../git.mjs'

/** Written so that this file does not hold what it looks for. */
/** @type {readonly [what: string, pattern: RegExp][]} */
const forbidden = [
  ['a path of one machine', /(?<![\w.$}/-])\/(work|farm|root|home)\/[A-Za-z.]/],
  ['a temporary path of one machine', /(?<![\w.$}/-])\/tmp\/(?!countersign)[A-Za-z.]/],
  [
    "a registry's host",
    /\b(registry\.npm[j]s\.org|registry\.yarn[p]kg\.com|deb\.debian[.]org|npm\.pkg\.github[.]com)\b/,
  ],
  ['a word of unfinished work', /\b(TO[D]O|FIX[M]E|XX[X])\b|\bnot[ _-](yet[ _-])?implemente[d]\b/],
  ['a focused test', /\b(it|test|describe)\.onl[y]\(/],
]

/** Over several lines, and long enough to be one: Ed25519, the shortest, has 64 characters. */
const privateKey = /-----BEGIN [A-Z ]*PRIVATE KEY-----(?:\\n|\s)+[A-Za-z0-9+/]{48}/

/** @param {{ root: string }} context */
export function run({ root }) {
  const problems = []
  for (const { path, file } of trackedFiles(root)) {
    if (/\.(png|jpg|gif|ico|woff2?)$/.test(path)) continue
    const text = readFileSync(file, 'utf8')
    if (privateKey.test(text)) problems.push(`${path} holds a private key`)
    const lines = text.split('\n')
    for (const [index, line] of lines.entries()) {
      for (const [what, pattern] of forbidden) {
        if (pattern.test(line)) problems.push(`${path}:${index + 1} holds ${what}`)
      }
    }
  }
  return problems
}
