// A page that says "this is held by that test" is worth nothing once the test is gone or says something else. On these
// pages a link to a test file has a test's title as its text: the file must be there, and have that title in it. A row
// of a table names a test, or says whose part it is.

import { existsSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'

const pages = ['docs/reference/clerk-checklist.md']

/** @param {{ root: string }} context */
export function run({ root }) {
  return pages.flatMap((page) => {
    const text = existsSync(join(root, page)) ? readFileSync(join(root, page), 'utf8') : ''
    const links = [...text.matchAll(/\[([^\]]+)\]\(([^)#\s]+\.test\.tsx?)\)/g)]
    if (links.length === 0) return [`${page} names no test`]
    const bare = text
      .split('\n')
      .filter((line, index, lines) => line.startsWith('| ') && !isHead(lines, index))
      .filter((line) => !/\.test\.tsx?\)/.test(line) && !line.includes('a part of its own'))
    const silent = bare.map((line) => `${page}: a row names no test: ${line.slice(0, 60)}`)
    const wrong = links.flatMap(([, title = '', target = '']) => {
      const file = join(root, dirname(page), target)
      if (!existsSync(file)) return [`${page}: ${target} is not there`]
      return hasString(readFileSync(file, 'utf8'), title) ? [] : [`${page}: ${target} has no test "${title}"`]
    })
    return [...silent, ...wrong]
  })
}

/** The names of the columns, or the line below them. @param {readonly string[]} lines @param {number} index */
const isHead = (lines, index) => [lines[index], lines[index + 1]].some((line) => line?.startsWith('| ---'))

/** Whether it is one of the strings there: the title of a test, or of a row of its table. @param {string} source @param {string} title */
function hasString(source, title) {
  return [`'`, `"`, '`'].some((quote) => source.includes(quote + title + quote))
}
