// `npm run docs`: writes the pages of docs/ that are made from code.

import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { matrixCommand } from './checks/consumer-matrix.mjs'
import { collectErrors, renderErrors } from './errors-page.mjs'

const root = fileURLToPath(new URL('../..', import.meta.url)).replace(/[\\/]$/, '')

const page = join(root, 'docs/reference/errors.md')
const { lists, problems } = await collectErrors(root)
for (const problem of problems) console.error(problem)
writeFileSync(page, renderErrors(readFileSync(page, 'utf8'), lists))

const { status, output } = await matrixCommand(root, '--write')
process.stderr.write(output)
process.exitCode = problems.length > 0 ? 1 : status
