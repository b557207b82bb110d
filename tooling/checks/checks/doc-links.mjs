// A link that leads nowhere sends a reader, often in a hurry, to nothing. Every relative link of every page must lead
// to a file, and every anchor to a heading.

import { existsSync, readFileSync, statSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { trackedFiles } from '../git.mjs'

/** @param {{ root: string }} context */
export function run({ root }) {
  const problems = []
  for (const { path, file } of trackedFiles(root)) {
    if (!path.endsWith('.md')) continue
    for (const [, link = ''] of proseOf(file).matchAll(/\]\(([^)\s]+)\)/g)) {
      if (/^[a-z]+:/i.test(link)) continue
      const [target = '', anchor] = link.split('#')
      const found = target === '' ? file : join(dirname(file), target)
      if (!existsSync(found)) problems.push(`${path} links to ${link}, which is not there`)
      else if (anchor !== undefined && !hasAnchor(found, anchor)) {
        problems.push(`${path} links to ${link}: there is no such heading`)
      }
    }
  }
  return problems
}

/** The page without its code. @param {string} file */
const proseOf = (file) =>
  readFileSync(file, 'utf8')
    .replace(/^```.*?^```/gms, '')
    .replace(/`[^`\n]*`/g, '')

/** @param {string} file @param {string} anchor */
function hasAnchor(file, anchor) {
  if (!statSync(file).isFile() || !file.endsWith('.md')) return false
  const headings = readFileSync(file, 'utf8')
    .replace(/^```.*?^```/gms, '')
    .matchAll(/^#+ (.*)$/gm)
  return [...headings].some(([, text = '']) => slug(text) === anchor)
}

/** As GitHub makes it. @param {string} heading */
const slug = (heading) =>
  heading
    .trim()
    .toLowerCase()
    .replace(/[^\p{L}\p{N}\s_-]/gu, '')
    .replace(/\s/g, '-')
