// A route or a message that no test calls without a token, with another audience's and without its scope is one that
// somebody will open by mistake: whoever declares some goes over all of them (`@countersign-apps/kit/testing`).

import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { filesBelow, workspacesOf } from '../tree.mjs'

const suites = [
  { declares: /\brouter\s*\.(get|post|put|patch|delete)\(/, what: 'routes', suite: 'describeRoutes' },
  { declares: /\b(webSocketAuth|webSocket)\(/, what: 'messages of a WebSocket', suite: 'describeMessages' },
]

/** @param {{ root: string }} context */
export function run({ root }) {
  return workspacesOf(root, ['apps']).flatMap(({ path, folder }) => {
    const sources = textsBelow(join(folder, 'src'))
    const tests = textsBelow(join(folder, 'test'))
    return suites
      .filter(({ declares, suite }) => sources.some((text) => declares.test(text)) && !tests.some(calls(suite)))
      .map(({ what, suite }) => `${path} declares ${what}, and no test of it calls ${suite} over them`)
  })
}

/** @param {string} folder */
const textsBelow = (folder) => filesBelow(folder, /\.ts$/).map((file) => readFileSync(file, 'utf8'))

/** @param {string} suite */
const calls = (suite) => (/** @type {string} */ text) => text.includes(`${suite}(`)
