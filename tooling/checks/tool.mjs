// Runs a tool of the root manifest under this Node, and gives back what it said.

import { spawn } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'

/**
 * @param {string} root
 * @param {string} name of the package
 * @param {string} command
 * @param {string[]} args
 * @param {{ cwd?: string }} [options]
 */
export function runTool(root, name, command, args, { cwd = root } = {}) {
  const folder = join(root, 'node_modules', name)
  const { bin } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'))
  return runProgram(process.execPath, [join(folder, typeof bin === 'string' ? bin : bin[command]), ...args], cwd)
}

/**
 * @param {string} file
 * @param {string[]} args
 * @param {string} cwd
 * @returns {Promise<{ status: number, output: string, stdout: string }>} `output` is stdout and stderr as they came
 */
export function runProgram(file, args, cwd) {
  return new Promise((resolve, reject) => {
    const child = spawn(file, args, { cwd, stdio: ['ignore', 'pipe', 'pipe'], env: { ...process.env, NO_COLOR: '1' } })
    let output = ''
    let stdout = ''
    child.stdout.setEncoding('utf8').on('data', (text) => {
      output += text
      stdout += text
    })
    child.stderr.setEncoding('utf8').on('data', (text) => {
      output += text
    })
    child.once('error', reject)
    child.once('close', (code) => resolve({ status: code ?? 1, output, stdout }))
  })
}

/** The last lines of what a tool said, as problems. @param {string} output @param {number} [most] */
export function linesOf(output, most = 60) {
  return output
    .split('\n')
    .map((line) => line.trimEnd())
    .filter((line) => line !== '')
    .slice(-most)
}
