// `npm run docs`: writes the pages of docs/ that are made from code.

import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { benchPage, renderBenchPage } from './bench-page.mjs'
import { matrixCommand } from './checks/consumer-matrix.mjs'
import { helpOfCli, renderCli } from './cli-page.mjs'
import { collectErrors, renderErrors } from './errors-page.mjs'

const root = fileURLToPath(new URL('../..', import.meta.url)).replace(/[\\/]$/, '')

const errors = join(root, 'docs/reference/errors.md')
const { lists, problems } = await collectErrors(root)
for (const problem of problems) console.error(problem)
writeFileSync(errors, renderErrors(readFileSync(errors, 'utf8'), lists))

const cli = join(root, 'docs/reference/cli.md')
writeFileSync(cli, await renderCli(readFileSync(cli, 'utf8'), await helpOfCli(root)))

const bench = join(root, benchPage)
writeFileSync(bench, renderBenchPage(root, readFileSync(bench, 'utf8')))

const { status, output } = await matrixCommand(root, '--write')
process.stderr.write(output)
process.exitCode = problems.length > 0 ? 1 : status
